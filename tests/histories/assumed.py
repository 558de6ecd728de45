"""What histories leave out, since the product is known not to keep its promise there yet."""

NO_SPELLINGS = True
"""No request spells an id in another way than the tables do."""
