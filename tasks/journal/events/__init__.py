"""Everything that can happen, one frozen type each, and what may follow what.

The only place where events and their facts have names. An event's class is its name in the journal,
its fields are its facts. A new event is a class here and a case in one fold
(`tasks.journal.histories`): the type checker names the fold that does not know it yet.
"""
