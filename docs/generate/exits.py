"""Exit statuses, and the errors that end with each."""

import inspect

from docs.generate.tables import code, first_sentence, table
from flows import cli
from unlearning import errors


def page() -> str:
    """One line for each kind of error, with the status that a command ends with."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    own = [k for k in kinds if issubclass(k, errors.ExpungeError)]
    rows = [("0", "", "done, or another run is at work, or a batch waits for a person")]
    rows += sorted(
        (
            str(cli.exit_status(kind("why"))),
            code(kind.__name__),
            first_sentence(kind.__doc__),
        )
        for kind in own
    )
    return table(("status", "error", "meaning"), rows)
