"""Whoever types `expunge`: each command is a process of its own, which need not import libraries.

One process has imported them and only ever forks; importing takes longer than most commands do.
Prefect is left out: it reads its settings when it is imported, and they are the command's own.
"""

import atexit
import gc
import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

PROJECT = Path(__file__).parents[1]
LIBRARIES = (
    "alembic.command",
    "boto3",
    "deltalake",
    "great_expectations",
    "httpx",
    "matplotlib.pyplot",
    "mlflow.pytorch",
    "mlflow.store.tracking.sqlalchemy_store",
    "scipy.stats",
    "sklearn.metrics",
    "torch",
    "torch._export.serde.serialize",
    "tasks.pipeline",
    "flows.cli",
)


@dataclass
class Typist:
    """Types commands, one after the other."""

    process: subprocess.Popen[str]
    folder: Path

    def type(
        self, words: Sequence[str], environment: dict[str, str], given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Type one command of expunge, and wait until it has ended."""
        files = {name: str(self.folder / name) for name in ("given", "printed", "said")}
        Path(files["given"]).write_text(given)
        order = {"words": words, "environment": environment, "folder": str(Path.cwd()), **files}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        printed, said = (Path(files[name]).read_text() for name in ("printed", "said"))
        return subprocess.CompletedProcess(words, status, printed, said)


@contextmanager
def typist(folder: Path) -> Iterator[Typist]:
    """Somebody at a terminal, with a folder for what is typed and printed."""
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "EXPUNGE_HOME": str(folder / "home"),
        "OPENBLAS_NUM_THREADS": "1",  # a process with threads must not fork
        "OMP_NUM_THREADS": "1",
    }
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            text=True,
        ) as process,
    ):
        yield Typist(process, folder)


def main() -> None:
    """Import once, then fork for every order that comes in."""
    from tasks.environment.settings import load_settings

    load_settings()  # libraries read what it sets while they are imported
    for name in LIBRARIES:
        importlib.import_module(name)
    assert "prefect" not in sys.modules
    assert threading.active_count() == 1, "a thread would be lost in the forks"
    gc.freeze()  # else the first collection of a fork copies all memory
    for line in sys.stdin:
        fork = os.fork()
        if not fork:
            _command(**json.loads(line))
        _, status = os.waitpid(fork, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _command(
    *,
    words: list[str],
    environment: dict[str, str],
    folder: str,
    given: str,
    printed: str,
    said: str,
) -> NoReturn:
    """What the script `expunge` does, and an end like that of any process."""
    from flows.cli import main as expunge

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for stream, (file, mode) in enumerate(
        ((given, os.O_RDONLY), (printed, writing), (said, writing))
    ):
        opened = os.open(file, mode)
        os.dup2(opened, stream)
        os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.argv = ["expunge", *words]
    status: int | str | None = 0
    try:
        expunge()
    except SystemExit as end:
        status = end.code
    # The end of any process, but for freeing its memory, which would be copied for it.
    threading._shutdown()  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    main()
