"""Ways to forget rows, one file each, all of one signature: (problem, configuration) → state.

`catalog` knows them by name, runs one and checks what it gives; `problem` is what each may read,
`network` and `gradient_ledger` what several share. The calibrated update is the default and has a
room of its own, the exact retrain is the last resort, the others are peers to be compared with. A
new method is a file here, a name in the catalogue, and a run of the benchmark.
"""
