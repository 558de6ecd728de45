"""Reference pages from code: each module makes one kind of table, as Markdown.

It reads the product and writes nothing. The hook puts what is made into the pages, in the place of
a line `<!-- generate: name -->`.
"""
