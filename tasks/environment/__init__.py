"""Where it all runs: the settings, and the machine's device, memory and ranks.

The only room that reads the environment. Nothing here reads rows or writes a result.
"""
