"""An owner's own code that trains a model, run where it has its rows and nothing else.

`trained.train_by_recipe` gives the weights that a recipe makes of some rows; `kept` keeps recipes
in the store. `recipe_process` is the program that runs one: it knows nothing of the rest.
"""
