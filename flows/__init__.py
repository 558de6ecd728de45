"""The recipes of expunge: what happens, in which order."""
