"""Ways to forget rows, one file each, all of one signature: (problem, configuration) → state."""
