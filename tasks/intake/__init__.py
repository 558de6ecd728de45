"""Request files and legal holds in: read, validated, and frozen into batches.

It reads `requests/` and writes there, to `batches/` and to the journal. Raw subject ids are read
here and leave the room only as pseudonyms, or in memory for a look into the tables.
"""
