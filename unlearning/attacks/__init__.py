"""Membership inference: how well seen rows can be told from unseen ones, and how surely.

`attacks` gives a statistic for each row, `percentiles` ranks it among unseen rows of its class and
says what chance alone does, `power` what a test of so many rows could show. `membership` and
`shadow` are reported beside them. An attack may be added; limits and decisions belong to the gate.
"""
