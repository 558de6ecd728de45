"""The hands of expunge: every effect on store, registry and tables, by stage of an erasure.

A room imports only rooms below it; the order stands in pyproject.toml and is checked. Each room's
own paragraph says what it is for and what may be touched there.
"""
