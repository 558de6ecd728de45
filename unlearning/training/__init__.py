"""Training from fresh weights, with the gradient restriction, resumable by checkpoints.

Used at enrolment, for reference models, and by the exact retrain, so that all of them train alike.
Architectures beyond a perceptron come with the models that people enrol. Same seed, same bits on
the CPU: what changes the order of random numbers here changes every model trained since.
"""
