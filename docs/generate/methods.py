"""The methods of unlearning, each by the head of the file that holds it."""

import sys

from docs.generate.tables import code, first_sentence, table
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.catalog import METHODS


def page() -> str:
    """One line for each method, the default one first."""
    default = UnlearningConfig().method
    names = sorted(METHODS, key=lambda name: (name != default, name))
    rows = []
    for name in names:
        method = METHODS[name]
        file = sys.modules[method.__module__]
        label = f"{code(name)} (default)" if name == default else code(name)
        texts = (first_sentence(one.__doc__) for one in (file, method))
        rows.append((label, *texts, code(file.__name__)))
    return table(("method", "idea", "what it gives", "module"), rows)
