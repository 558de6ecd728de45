"""The error tree: grouped by what the reader should do next.

    ExpungeError
    ├── TransientError            a system is busy or away          → retried, the only one that is
    ├── SettingsError             a setting or package is missing   → mend it, run again
    │   └── UnreachableError      nothing answers at the start: both of the above
    ├── OutOfMemoryError          it fits in no chunk, on no device → free memory, run again
    ├── RequestError              a request file or row is unusable → quarantine, tell its sender
    ├── DataError                 table, rows or split do not fit   → an operator looks at the table
    │   ├── UnfitRowsError        too few, or not what the model takes → ladder; mend the table
    │   ├── SnapshotChangedError  the pinned rows are others now
    │   └── MissingDataError      it does not exist, or its bytes are damaged
    ├── ModelError                the model cannot be unlearned so  → mend or re-enrol the model
    │   ├── UnsupportedModelError
    │   ├── StaleLedgerError      ledger of another model or snapshot
    │   ├── RecipeError           its owner's recipe fails        → mend the recipe, enrol again
    │   ├── ChangedWeightsError   not what was judged             → ladder; see who writes there
    │   └── DivergenceError       non-finite loss, gradient or weight
    ├── EvidenceError             a number is missing or undefined  → never gate on a guess
    ├── GateRejectedError         a check of the gate failed        → champion and request stay
    ├── ConflictError             somebody else changed it          → reload and run again
    └── EffectLostError           an effect cannot be read back     → stop, look at that system

Messages hold counts and references, never the id of a data subject.
"""


class ExpungeError(Exception):
    """Any error that expunge raises on purpose; its text is one sentence with a remedy.

    Args:
        arguments: That sentence.
        line: What to type, where one line is the remedy: flags of the same command, or Python.
    """

    def __init__(self, *arguments: object, line: str = "") -> None:
        super().__init__(*arguments)
        self.line = line


class TransientError(ExpungeError):
    """An outside system is busy or away; the same call may work later."""


class SettingsError(ExpungeError, ValueError):
    """A setting, or code that a model needs, is wrong or missing; nothing was done yet."""


class UnreachableError(TransientError, SettingsError):
    """Nothing answers where a run starts: a system that is away for a moment, or a wrong address.

    Nobody can tell at once, so it is retried, and in the end a setting to mend.
    """


class OutOfMemoryError(ExpungeError):
    """Memory ran out, however little of the rows was in it at a time.

    It says nothing about the model: a larger machine, or this one tomorrow, does the same work.
    """


class RequestError(ExpungeError):
    """A request file or a row of it cannot be used."""


class DataError(ExpungeError):
    """A table, its rows or a split of them do not fit the model or each other."""


class UnfitRowsError(DataError):
    """Rows that are there cannot be used with the model, or none are left; no try mends that."""


class SnapshotChangedError(DataError):
    """The rows found now are not the rows that were pinned."""


class MissingDataError(DataError):
    """What was asked for does not exist, or its bytes are damaged; it was not merely refused."""


class ModelError(ExpungeError):
    """The model cannot be unlearned in this way."""


class UnsupportedModelError(ModelError):
    """The model's form or layers are out of reach; the text names a remedy."""


class StaleLedgerError(ModelError):
    """The gradient ledger belongs to another model or to another version of the table."""


class RecipeError(ModelError):
    """The recipe that the model's owner gave fails, or makes something else than the model."""


class ChangedWeightsError(ModelError):
    """Weights that were made and judged were replaced since; another attempt makes others."""


class DivergenceError(ModelError):
    """A loss, gradient or weight is not finite."""


class EvidenceError(ExpungeError):
    """A number that the gate needs is missing or undefined."""


class GateRejectedError(ExpungeError):
    """At least one check of the gate failed; the champion was left alone."""


class ConflictError(ExpungeError):
    """Somebody else changed the same thing meanwhile."""


class EffectLostError(ExpungeError):
    """An effect reported success but cannot be read back."""


_OUT_OF_MEMORY = (
    "can't allocate memory",
    "annot allocate memory",
    "bad_alloc",
    "could not create a primitive",  # oneDNN
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that memory ran out, on any device.

    By name and words: on the CPU torch 2.13 has no class for it, and who only asks for a status
    must not wait for torch.
    """
    is_named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return is_named or any(words in str(error) for words in _OUT_OF_MEMORY)
