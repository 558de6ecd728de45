"""What the machine has: the device to work on, its memory, and the ranks that torchrun started.

Nothing here reads rows or writes anything.
"""
