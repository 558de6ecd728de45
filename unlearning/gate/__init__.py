"""The checks of a candidate, and the decision made of them. No torch, and no measuring.

A missing number fails a check. Nothing here is softened without a reason in its docstring.
"""
