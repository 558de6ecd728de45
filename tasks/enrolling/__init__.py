"""A model taken on: trained or taken over, with its gradient ledger and reference models.

It writes enrolments to the journal, and ledgers, reference models and owners' recipes to the store.
`recipes` runs such a recipe. Nothing is unlearned here.
"""
