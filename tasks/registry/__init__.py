"""MLflow: model versions, their aliases, tags and files.

The one room that calls MLflow's registry. It writes what it is told and decides nothing.
"""
