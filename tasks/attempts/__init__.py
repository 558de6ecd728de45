"""One batch and one model: an attempt from its plan over candidate and gate to the promotion.

It writes candidates and evidence to the store, versions to the registry, and moves the serving
alias. Tables are read and never changed.
"""
