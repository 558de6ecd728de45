"""What an owner's code may read on this machine, and what it never may."""

import glob
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.environment.settings import Settings
from tasks.registry.confinement import READ, RUN, WRITE
from unlearning.errors import SettingsError

_SYSTEM = ("/usr", "/lib", "/lib64", "/bin")
_FACTS = ("/proc", "/sys", "/etc/ld.so.cache", "/etc/localtime", "/etc/passwd", "/etc/group")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/shm")  # noqa: S108
_GPUS = ("/dev/nvidia*", "/dev/kfd", "/dev/dri")
_ASK = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, *sys.path]))"
_PATIENCE_S = 120


def allowed_places(
    python: str,
    folder: Path,
    private: Sequence[Path],
    environment: dict[str, str],
    *,
    readable: Sequence[Path] = (),
) -> dict[str, int]:
    """Rights by place: Python's own folders to read and run, what is `readable`, and the folder.

    What is `private` is never among them: of a folder around it the others in it are allowed, and
    a folder of packages around it is left out.

    Raises:
        SettingsError: the interpreter cannot be started.
    """
    prefixes, packages = _folders_of(python, environment)
    prefixes = [place for one in (*_SYSTEM, *prefixes) for place in _around(Path(one), private)]
    packages = [one for one in packages if not _holds(Path(one).resolve(), private)]
    gpus = [place for pattern in _GPUS for place in glob.glob(pattern)]  # noqa: PTH207
    return {
        **dict.fromkeys([*packages, *prefixes], RUN),
        **dict.fromkeys([*_FACTS, *map(str, readable)], READ),
        **dict.fromkeys([*_DEVICES, *gpus, str(folder)], WRITE),
    }


def private_places(settings: Settings, tables: Sequence[str]) -> list[Path]:
    """What lies on this machine of the home with its keys, of the store, and of the tables."""
    uris = (settings.store_uri, *tables)
    files = [Path(uri.removeprefix("file://")) for uri in uris if uri.startswith("file://")]
    return [place.resolve() for place in (settings.home, *files)]


def interpreter(python: str) -> str:
    """The Python that runs an owner's code."""
    return python or sys.executable


def _folders_of(python: str, environment: dict[str, str]) -> tuple[list[str], list[str]]:
    """Where the interpreter itself lies, and where its packages do."""
    try:
        asked = subprocess.run(
            [interpreter(python), "-B", "-c", _ASK],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=True,
        )
        prefix, base, *packages = json.loads(asked.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise SettingsError(
            f"{interpreter(python)} does not start as a Python ({type(error).__name__}); name one "
            "that is installed here with --recipe-python."
        ) from error
    return list(dict.fromkeys([prefix, base])), [one for one in packages if os.path.isabs(one)]  # noqa: PTH117


def _around(folder: Path, private: Sequence[Path]) -> Iterator[str]:
    """The folder; if something private lies in it, what lies beside that."""
    resolved = folder.resolve()
    if any(resolved.is_relative_to(one) for one in private):
        return
    if not _holds(resolved, private):
        yield str(folder)
        return
    for inside in resolved.iterdir():
        yield from _around(inside, private)


def _holds(folder: Path, private: Sequence[Path]) -> bool:
    return any(one.is_relative_to(folder) for one in private)
