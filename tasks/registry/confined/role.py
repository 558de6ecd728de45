"""What a confined process is for, and the sentences in which its errors read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tasks.registry.confined.worker_process import MISSING
from unlearning.errors import ExpungeError, OutOfMemoryError, SettingsError

_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,60}", re.ASCII)
_OUT_OF_MEMORY = ("MemoryError", "OutOfMemoryError", "ArrowMemoryError")

_PACKAGES = frozenset(
    (
        *("pyarrow", "torch", "safetensors", "mlflow", "cloudpickle", "numpy", "scipy", "pandas"),
        *("polars", "joblib", "skops", "sklearn", "xgboost", "lightgbm", "catboost", "imblearn"),
        *("statsmodels", "prophet", "pmdarima", "onnx", "onnxruntime", "tensorflow", "keras"),
        *("h2o", "spacy", "nltk", "transformers", "tokenizers", "sentence_transformers", "PIL"),
    )
)
"""Those that models and code of their owners often need."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a worker is for, and how its errors read."""

    name: str
    """Begins a sentence, such as "The hook of income"."""
    remedy: str
    """Ends it: what to do where its code fails."""
    error: type[ExpungeError]
    """What is raised then."""
    source: str = ""
    """File whose lines errors name; empty if there is none of the owner's."""
    trusted: bool = False
    """Whether it may run where the machine cannot confine it."""

    @property
    def within(self) -> str:
        """Its name within a sentence."""
        return f"the {self.name.removeprefix('The ')}"

    def failed(
        self, outcome: str, what: str, line: object, code: Iterable[bytes] = ()
    ) -> ExpungeError:
        """What its code raised: the kind `what`, at a line if it is one of the source."""
        if what in _OUT_OF_MEMORY:
            return self.out_of_memory()
        if outcome == MISSING:
            return SettingsError(
                f"{self.name} needs {package_in(what, code)}, which its Python does not have; "
                "install it there, or name another interpreter with --recipe-python."
            )
        kind = what if _IDENTIFIER.fullmatch(what) else "an error"
        where = f" in line {line}" if isinstance(line, int) else ""
        return self.error(f"{self.name} raises {kind}{where}; {self.remedy}.")

    def out_of_memory(self) -> OutOfMemoryError:
        """Memory ran out, which is no fault of its code."""
        return OutOfMemoryError(
            f"Memory ran out in the process of {self.within}; free some, or run on a larger "
            "machine."
        )


def package_in(module: str, code: Iterable[bytes]) -> str:
    """The package of a module that is missing, by its name if that is well known or in the code.

    Whoever raises the error chooses the name, which could be a value of a row.
    """
    top = module.partition(".")[0]
    if not _IDENTIFIER.fullmatch(top):
        return "a package"
    word = re.compile(rb"\b%s\b" % top.encode())
    is_known = top in _PACKAGES or any(word.search(one) for one in code)
    return f"the package {top}" if is_known else "a package"
