"""What is told about it all: certificates per request, and the status of everything.

It reads recorded effects, and writes certificates. A certificate says nothing that no event says.
"""
