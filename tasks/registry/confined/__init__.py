"""Code and files of others, run where they have what they are given and nothing else.

`worker` keeps such a process and asks it one question after another; `worker_process` is the
program that answers. `places` says what it may read, `role` how its errors read, and `launching`
starts and ends it.
"""
