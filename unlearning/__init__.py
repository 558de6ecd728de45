"""The head of expunge: unlearning, its measures and its decisions, as pure functions.

It knows torch, NumPy, scipy and scikit-learn, but no framework, clock, environment, file or
network. Its rooms import only those below them; the order stands in pyproject.toml and is checked.
"""
