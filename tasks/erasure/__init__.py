"""Rows and files gone from the tables, and the models pointed to what is left.

The point of no return lies in this room: nothing before it deletes anything of a table.
"""
