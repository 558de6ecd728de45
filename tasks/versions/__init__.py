"""Which versions still remember whom: retired, purged, and kept from serving.

It moves an alias back above its floor, and deletes old versions when their day has come.
The versions of a batch at work are not its affair.
"""
