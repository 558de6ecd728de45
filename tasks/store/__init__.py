"""The truth: objects, the journal of events, the lease, and effects made exactly once.

Everything else in `tasks` may forget; what is not written here did not happen. Only this room talks
to the object store's protocol, and only create-only writes change any state. It knows nothing of
models, tables or people.
"""
