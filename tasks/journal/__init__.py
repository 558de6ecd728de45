"""What happened: typed events, appended once and folded into histories, and effects made once.

Everything that a run knows of the past it reads here. Nothing is ever changed or deleted; only this
room writes below `journal/` in the store.
"""
