"""The hands of expunge: each task makes one side effect against one outside system."""
