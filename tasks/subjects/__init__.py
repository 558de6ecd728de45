"""Whose rows lie where, who must stay away, and which batches are open for them.

It finds the subjects of a batch in the tables, keeps the suppression list of erased ones, looks for
those who came back, and for holds that came too late. It deletes no rows.
"""
