"""Models of other libraries than torch: their files packed as weights, and asked in confinement.

`scoring` asks them, by the program `scoring_process`; `cells` carries rows there as the table has
them, `archive` packs files, and `flavours` tells by MLflow's own words what a version is.
"""
