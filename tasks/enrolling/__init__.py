"""A model taken on: trained or taken over, with its gradient ledger and reference models.

It writes enrolments to the journal and ledgers and reference models to the store. Nothing is
unlearned here.
"""
