"""Classifiers of transformers, and adapters of peft: their files read as data, and written anew.

`reading` loads a version, `writing` logs its successor, `tokenizing` is about its tokenizer. Both
libraries are needed only where such a model is enrolled, so they are imported there.
"""
