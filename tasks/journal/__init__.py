"""What happened: events appended once and read back, and effects made exactly once.

Everything else in `tasks` may forget; what is not written here did not happen. It knows nothing of
tables or people.
"""
