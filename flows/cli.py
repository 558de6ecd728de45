"""The command line `expunge`; each command's module is loaded when it is called."""

import logging
import os
import sys
import traceback
from collections.abc import Collection
from importlib.metadata import version

from cyclopts import App

from tasks.environment.settings import load_settings
from unlearning.errors import (
    DataError,
    ExpungeError,
    GateRejectedError,
    ModelError,
    RequestError,
    SettingsError,
)

EXIT_GATE = 1
EXIT_INPUT = 2
EXIT_OTHER = 3

COMMANDS = {
    "submit": "Put files of deletion requests into the store.",
    "run": "Work off every open request: unlearn, gate, promote, erase, certify.",
    "approve": "Approve a batch that waits for a person.",
    "reject": "Reject a batch that waits for a person; its requests stay open.",
    "settle": "Say whom a request means that nearly names somebody.",
    "status": "Where every request stands, and every enrolled model.",
    "trace": "Follow a subject, or a model version, through the records.",
    "hold": "Place or release legal holds.",
    "retire": "Purge old model versions that remember erased people, once their days are over.",
    "replay": "Erase again whom a restored backup brought back.",
    "ledger": "Compute missing gradient ledgers; also in parallel, under torchrun.",
    "convert-table": "Make a folder of parquet files a Delta table, in place.",
    "reinstate": "Let models learn again from somebody who was erased and is back.",
    "erase-again": "Erase the new rows of somebody who was erased and is back.",
    "rotate-key": "Make every pseudonym anew under a further key.",
    "close-table": "Stop searching a table that no model is enrolled with any more.",
    "train": "Train a model that can be unlearned, register and enrol it.",
    "enroll": "Enrol a version of a model that was trained elsewhere.",
    "unenroll": "Take a model out, by name and reason.",
}
"""A line for each command, which is shown without loading it."""


def command_line(explained: Collection[str] = COMMANDS) -> App:
    """The parser of all commands; those named are loaded to explain themselves at length."""
    app = App(
        name="expunge",
        version=lambda: version("expunge"),
        help="Erase people from trained models, and keep the evidence.",
        help_epilogue="Exit status: 0 done, 1 a model failed the gate, 2 wrong settings or input, "
        "3 anything else. Places and keys are set with EXPUNGE_* variables, see docs/.",
    )
    for name, line in COMMANDS.items():
        module = name.replace("-", "_")
        told = None if name in explained else line  # None: its docstring is shown
        app.command(f"flows.commands.{module}:{module}", name=name, help=told)
    return app


def main() -> None:
    """Run one command; our own errors end as one sentence and an exit status."""
    try:
        load_settings()
        log_to_console()
        command_line(explained=sys.argv[1:2])(sys.argv[1:])
    except ExpungeError as error:
        from rich.text import Text

        from flows.console import Plain, shown

        said = Text.assemble(("expunge:", "bold red"), " ", shown(str(error)))
        Plain(stderr=True).print(said)
        sys.exit(exit_status(error))
    except BrokenPipeError:
        # Whoever read our output has read enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception:  # noqa: BLE001 - the last resort: Python's own status 1 means a failed gate
        traceback.print_exc()
        sys.exit(EXIT_OTHER)


def exit_status(error: ExpungeError) -> int:
    """The status that a command ends with after this error."""
    if isinstance(error, GateRejectedError):
        return EXIT_GATE
    if isinstance(error, (SettingsError, DataError, ModelError, RequestError)):
        return EXIT_INPUT
    return EXIT_OTHER


def log_to_console() -> None:
    """Send what the packages log to the error stream, once in a process."""
    logger = logging.getLogger("expunge")
    if logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    # Prefect adds its own handler to the root logger, which would print every line again.
    logger.propagate = False


if __name__ == "__main__":
    main()
