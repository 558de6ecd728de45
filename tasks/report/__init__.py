"""The page for people about one batch, and its events and figures in MLflow.

It reads the journal and the evidence; what it draws and says decides nothing.
"""
