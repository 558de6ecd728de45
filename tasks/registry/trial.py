"""A first look at an exported model's archive: it is loaded in confinement before the run loads it.

One helper process serves all trials of this process, since importing torch takes seconds.
"""

import atexit
import hashlib
import json
import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tasks.registry.confined_load import LOADED, SECONDS
from unlearning.errors import SettingsError, UnsupportedModelError

log = logging.getLogger("expunge.trial")

_BARRIERS = ("network", "files", "calls")
_REACHED = ("PermissionError", "OSError", "BlockingIOError")
"""What is raised where confinement holds."""
_TOO_LONG = (-signal.SIGALRM, -signal.SIGXCPU)
_helpers: list[subprocess.Popen[str]] = []
_one_at_a_time = threading.Lock()
_exported_here: set[str] = set()
"""SHA-256 of the archives that this process itself exported."""


def note_exported(file: Path) -> None:
    """Note an archive that this process exported and nobody else has had in hand yet."""
    _exported_here.add(_digest(file))


def is_exported_here(file: Path) -> bool:
    """Whether it has every byte of an archive that this process exported: no trial is needed."""
    return bool(_exported_here) and _digest(file) in _exported_here


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def try_load(file: Path, name: str) -> list[str]:
    """Load an archive in confinement; which barriers held. `name` says in errors whose it is.

    Raises:
        UnsupportedModelError: loading it reaches for files, programs or the network.
        SettingsError: no process can be started here for it, or it takes too long.
        MemoryError: it does not fit into memory.
        RuntimeError: it does not load.
    """
    with _one_at_a_time:
        status, said = _ask(file)
    if status == LOADED:
        held = said.split()
        log.debug("%s was tried in confinement: %s", name, ", ".join(held))
        if missing := [one for one in _BARRIERS if one not in held]:
            log.info(
                "This machine confines less while %s is tried: no %s", name, ", ".join(missing)
            )
        return held
    if said == "MemoryError" or status == -signal.SIGKILL:
        raise MemoryError
    if status in _TOO_LONG:
        raise SettingsError(
            f"{name} could not be tried within {SECONDS} seconds; run again on a faster machine."
        )
    if status < 0 or said in _REACHED:
        raise UnsupportedModelError(
            f"{name} reaches for files, programs or the network when it is loaded; find out who "
            "made it, and enrol a version that was logged anew."
        )
    raise RuntimeError(said)


def _ask(file: Path) -> tuple[int, str]:
    helper = _helper()
    assert helper.stdin is not None
    assert helper.stdout is not None
    try:
        helper.stdin.write(json.dumps(str(file.resolve())) + "\n")
        helper.stdin.flush()
        status, said = json.loads(helper.stdout.readline())
    except (OSError, ValueError) as error:
        stop_helper()
        raise SettingsError(
            "No process can be started here to try a model in; free memory and processes, and see "
            "that this Python can import torch, then run again."
        ) from error
    return status, said


def _helper() -> subprocess.Popen[str]:
    """The helper, started if there is none; it ends when this process does."""
    if not _helpers or _helpers[-1].poll() is not None:
        stop_helper()
        program = Path(__file__).with_name("confined_load.py")
        started = subprocess.Popen(
            [sys.executable, "-B", "-E", "-P", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"OMP_NUM_THREADS": "1"},  # nobody's secrets
            cwd="/",
            text=True,
        )
        _helpers.append(started)
    return _helpers[-1]


@atexit.register
def stop_helper() -> None:
    """End the helper, if there is one."""
    while _helpers:
        helper = _helpers.pop()
        helper.kill()
        helper.communicate()
