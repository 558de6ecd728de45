"""What a process gives up for good: the network, and all files but those that it is told.

Linux lets it do so without privileges. `tasks.registry.confined_load` does it in its forks. As a
program of its own this file gives up both and then becomes another program, which cannot take them
back: that is how an owner's recipe is run. It needs the standard library alone.
"""

import ctypes
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

_NO_NEW_PRIVILEGES, _DIE_WITH_PARENT = 38, 1
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_CREATE_RULES, _ADD_RULE, _RESTRICT, _BENEATH = 444, 445, 446, 1
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many rights over files the first versions of Landlock know; later ones know 16."""
_TCP, _ABSTRACT_SOCKETS_AND_SIGNALS = 3, 3
_KNOWS_TCP, _KNOWS_SCOPES = 4, 6
"""Versions of Landlock since which it keeps from these, too."""

READ = 1 << 2 | 1 << 3
"""Rights over files and folders: to read them."""
RUN = READ | 1 << 0
"""To read them, and to run what lies there."""
WRITE = RUN | ~(1 << 6 | 1 << 11) & 0xFFFF
"""All but making devices."""
_OF_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15


def give_up_privileges(libc: ctypes.CDLL) -> None:
    """No program that is run from here on has more rights, and nothing dumps memory to disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def give_up_network(libc: ctypes.CDLL) -> bool:
    """A network of its own, in which nobody else is; whether it holds."""
    return libc.unshare(_NEW_USER | _NEW_NETWORK) == 0


def give_up_files(libc: ctypes.CDLL, allowed: Mapping[str, int]) -> bool:
    """Landlock: these rights over what lies at these places, and none elsewhere; whether it holds.

    Other processes cannot be looked into either, nor be sent signals where the kernel knows how.
    """
    version = libc.syscall(_CREATE_RULES, None, 0, 1)
    if version < 1:
        return False
    known = (1 << _RIGHTS.get(version, 16)) - 1
    handled = struct.pack("Q", known)
    handled += struct.pack("Q", _TCP) if version >= _KNOWS_TCP else b""
    handled += struct.pack("Q", _ABSTRACT_SOCKETS_AND_SIGNALS) if version >= _KNOWS_SCOPES else b""
    rules = libc.syscall(_CREATE_RULES, handled, len(handled), 0)
    for path, rights in allowed.items():
        try:
            place = os.open(path, os.O_PATH)
        except OSError:
            continue
        rights &= known if Path(path).is_dir() else known & _OF_FILES  # noqa: PLW2901
        libc.syscall(_ADD_RULE, rules, _BENEATH, struct.pack("=Qi", rights, place), 0)
        os.close(place)
    return libc.syscall(_RESTRICT, rules, 0) == 0


def main() -> None:
    """Give up what the first argument says, tell what holds, and become the program it names.

    It dies with whoever started it.
    """
    told = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    give_up_privileges(libc)
    held = {"network": give_up_network(libc)}
    if held["network"]:
        _stay_who_it_was(user, group)
    libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)  # after that, which would undo it
    if os.getppid() != told["parent"]:
        sys.exit(1)
    held["files"] = give_up_files(libc, told["allowed"])
    os.write(1, " ".join(name for name, holds in held.items() if holds).encode() + b"\n")
    if not told.get("answers"):
        os.dup2(0, 1)
    os.execv(told["program"][0], told["program"])  # noqa: S606


def _stay_who_it_was(user: int, group: int) -> None:
    """In its own namespace, too: many libraries ask for the name of their user."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        try:
            Path(f"/proc/self/{name}").write_text(text)
        except OSError:
            return


if __name__ == "__main__":
    main()
