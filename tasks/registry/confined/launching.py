"""Confined processes, started and ended with all that they started themselves."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tasks.registry import confinement

BARRIERS = ("network", "files")
"""What is kept from a confined process, where the machine knows how."""
Process = subprocess.Popen[bytes]


def launch(
    program: Sequence[str],
    folder: Path,
    environment: dict[str, str],
    allowed: dict[str, int],
    *,
    answers: bool = False,
) -> Process:
    """A process in this folder, the leader of a group of its own; it dies with this thread.

    What it first writes to its output are the barriers that hold. Then its output is closed,
    unless it `answers` what is written to its input. What it says of errors goes nowhere.

    Args:
        program: What it becomes once it is confined.
        folder: Where it works.
        environment: All that it knows of the environment.
        allowed: Rights over files by place.
        answers: Whether it is talked to.
    """
    told = {
        "program": list(program),
        "allowed": allowed,
        "parent": os.getpid(),
        "answers": answers,
    }
    launcher = [sys.executable, "-I", "-S", "-B", str(Path(confinement.__file__))]
    return subprocess.Popen(
        [*launcher, json.dumps(told)],
        stdin=subprocess.PIPE if answers else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what it says may quote rows
        env=environment,
        cwd=folder,
        start_new_session=True,
    )


def missing_barriers(said: bytes) -> list[str]:
    """Barriers that do not hold, by what the process said of them."""
    held = said.decode("ascii", "replace").split()
    return [one for one in BARRIERS if one not in held]


def end(process: Process) -> None:
    """End its whole group, which may live longer than it does."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
