"""What histories leave out, since the product is known not to keep its promise there yet."""

NO_SPELLINGS = True
"""No request spells an id in another way than the tables do."""
RETURNING_IS_ASKING = True
"""New rows of somebody who was erased may be erased again without a request."""
