"""The calibrated update: every row gets a goal, and least changes of the weights go there.

Read in this order: `goals` says where each row should stand, `batches` which rows a step sees and
how much each weighs, `closed_form` and `descent` are the two ways there, for few and for many
forget rows, and `update` puts them together. Here the numbers of the benchmark are made: whoever
changes a formula runs it again.
"""
