"""A confined process that stays, and is asked one question after another.

It serves whoever must run code or load files of others again and again: it has no network, no
secrets, and no files but Python's and its folder. Data go through files in that folder.
"""

import json
import os
import select
import shutil
import signal
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from tasks.environment.settings import Settings, harmless_environment
from tasks.foreign_errors import translated
from tasks.registry import downloads
from tasks.registry.confined import worker_process
from tasks.registry.confined.launching import Process, end, launch, missing_barriers
from tasks.registry.confined.left_files import TooLargeError, read_left
from tasks.registry.confined.places import allowed_places, interpreter
from tasks.registry.confined.role import Role
from unlearning.errors import ExpungeError, SettingsError

_PROGRAM = "worker_process.py"
_START_SECONDS = 120.0
_MOST_SAID = 1 << 20
_starter = ThreadPoolExecutor(1, thread_name_prefix="expunge-worker")
"""A process dies with the thread that starts it: this one lives as long as we do."""


class Worker:
    """Such a process, started by the first question, and again if it ended.

    It ends with this object, and dies with this process. Its folder goes with it, or, where we are
    killed, at the next start.
    """

    def __init__(
        self,
        settings: Settings,
        role: Role,
        files: Mapping[str, bytes],
        *,
        python: str = "",
        private: Sequence[Path] = (),
        readable: Sequence[Path] = (),
    ) -> None:
        """Say what it will be; nothing is started yet.

        Args:
            settings: Below whose home it works.
            role: What it is for.
            files: What lies in its folder by name; `answers.py` defines `answer(question)`, which
                is given a dict and returns something that JSON knows.
            python: The interpreter; the one that runs expunge if empty.
            private: Places that it must not read, even where Python's folders lie around them.
            readable: Further folders that it may read.
        """
        self._settings, self.role, self._files = settings, role, dict(files)
        self._python, self._private, self._readable = python, list(private), list(readable)
        self._lock = threading.RLock()
        self._held = ExitStack()
        self._process: Process | None = None
        self._folder = Path()
        self._end = weakref.finalize(self, self._held.close)

    def ask(
        self,
        question: Mapping[str, Any],
        *,
        seconds: float,
        given: Mapping[str, bytes | memoryview] | None = None,
        wanted: Mapping[str, int] | None = None,
    ) -> tuple[Any, dict[str, bytes]]:
        """Its answer, and the bytes of the files that it left; one question at a time.

        What was given and what it left is gone from its folder afterwards.

        Args:
            question: What `answer` is given.
            seconds: How long it may take.
            given: Files to lay into its folder before.
            wanted: Names of files that it leaves there, each with the most bytes that are read.

        Raises:
            ExpungeError: of the kind that the role names: it fails, hangs or ends.
            SettingsError: its Python does not start or lacks a package, or the machine cannot
                confine it and it is not trusted.
            OutOfMemoryError: memory ran out.
        """
        given, wanted = given or {}, wanted or {}
        with self._lock:
            process = self._started()
            with translated("disk", str(self._folder)):
                for name, data in given.items():
                    _lay(self._folder / name, data)
            try:
                said = self._said(process, question, seconds)
                left = {name: self._left(name, most) for name, most in wanted.items()}
            finally:
                for name in (*given, *wanted):
                    _remove(self._folder / name)
        return said, left

    def close(self) -> None:
        """End it, and remove its folder."""
        with self._lock:
            self._process = None
            self._held.close()

    def _started(self) -> Process:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        folder = self._held.enter_context(downloads.scratch(self._settings)).resolve()
        program = Path(worker_process.__file__).read_bytes()
        for name, data in {**self._files, _PROGRAM: program}.items():
            (folder / name).write_bytes(data)
        environment = harmless_environment("cpu") | {"HOME": str(folder), "TMPDIR": str(folder)}
        places = allowed_places(
            self._python, folder, self._private, environment, readable=self._readable
        )
        command = [interpreter(self._python), "-B", str(folder / _PROGRAM)]
        start = partial(launch, command, folder, environment, places, answers=True)
        process = _starter.submit(start).result()
        self._held.callback(end, process)
        self._folder = folder
        missing = missing_barriers(_line(process, time.monotonic() + _START_SECONDS))
        if missing and not self.role.trusted:
            self.close()
            raise SettingsError(
                f"This machine cannot keep {self.role.within} from {' and '.join(missing)}; "
                "run on Linux 5.13 or later with namespaces for users, or trust it with "
                "--trust-pickle.",
                line="--trust-pickle",
            )
        self._process = process
        return process

    def _said(self, process: Process, question: Mapping[str, Any], seconds: float) -> Any:
        asked = json.dumps({**question, "source": self.role.source}).encode() + b"\n"
        try:
            answer = _answer(process, asked, seconds)
        except BaseException:  # its answer would be taken for that to the next question
            self.close()
            raise
        try:
            found = json.loads(answer)
            outcome = found["outcome"]
        except (ValueError, KeyError, TypeError):
            raise self._ended(process, seconds) from None
        if outcome == worker_process.DONE:
            return found.get("said")
        what, line = str(found.get("what", "")), found.get("line")
        raise self.role.failed(str(outcome), what, line, self._files.values())

    def _ended(self, process: Process, seconds: float) -> ExpungeError:
        """Why there is no answer; a process that goes on is ended."""
        role = self.role
        with suppress(TimeoutExpired):
            process.wait(1)
        status = process.returncode
        self.close()
        if status is None:
            return role.error(f"{role.name} did not answer within {seconds:.0f} s; {role.remedy}.")
        if status == -signal.SIGKILL:
            return role.out_of_memory()
        return role.error(f"{role.name} ended with status {status} and no word; {role.remedy}.")

    def _left(self, name: str, most_bytes: int) -> bytes:
        role = self.role
        try:
            return read_left(self._folder / name, most_bytes)
        except TooLargeError:
            raise role.error(f"{role.name} gives far more than it should; {role.remedy}.") from None


def _answer(process: Process, asked: bytes, seconds: float) -> bytes:
    """The line that it answers with; nothing if it has ended, or does not read what is asked."""
    until = time.monotonic() + seconds
    return _line(process, until) if _is_read(process, asked, until) else b""


def _is_read(process: Process, asked: bytes, until: float) -> bool:
    """Whether it takes the whole question by then: a pipe holds no more than its buffer does."""
    assert process.stdin is not None
    pipe, left = process.stdin.fileno(), memoryview(asked)
    os.set_blocking(pipe, False)
    while left:
        _, ready, _ = select.select([], [pipe], [], max(0.0, until - time.monotonic()))
        if not ready:
            return False
        try:
            left = left[os.write(pipe, left) :]
        except BlockingIOError:
            continue
        except OSError:
            return False
    return True


def _line(process: Process, until: float) -> bytes:
    """The next line that it says; what there was of it by then, if it ends or takes longer."""
    assert process.stdout is not None
    said, pipe = b"", process.stdout.fileno()
    while not said.endswith(b"\n") and len(said) <= _MOST_SAID:
        ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        more = os.read(pipe, 1 << 16) if ready else b""
        if not more:
            break
        said += more
    return said


def _lay(place: Path, data: bytes | memoryview) -> None:
    """Write a file where nothing lies: through a link left there we would write elsewhere."""
    _remove(place)
    opened = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(data)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)
