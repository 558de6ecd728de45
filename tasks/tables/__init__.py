"""Delta tables and their files: rows counted, deleted and proven absent.

The one room that changes a table's rows, files or transaction log. It is given addresses, columns
and ids, and knows neither requests nor models.
"""
