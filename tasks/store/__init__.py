"""Objects: six verbs on a directory or a bucket, and the lease that lets one run at a time work.

Only this room talks to the object store's protocol, and only create-only writes change any state.
"""
