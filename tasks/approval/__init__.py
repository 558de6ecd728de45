"""When a person must say yes, what they are shown, and what they said.

It writes questions and answers to the journal, and changes nothing else.
"""
