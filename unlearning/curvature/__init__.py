"""How much a loss bends: diagonals, products, and Kronecker factors with their inverses.

Read by the methods that take steps by curvature.
"""
