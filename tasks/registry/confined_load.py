"""Load exported models where nothing is in reach; whichever reaches for anything dies.

Run as a program of its own, by `tasks.registry.trial`, without the environment of the run. It reads
paths from standard input, loads each in a fork, and writes what became of it: the fork's exit
status, and what it said.

The fork gives up for good what Linux lets it give up without privileges: the network, all files but
Python's and the model's, and then every system call that starts a program, opens a socket or writes
a file. It says what of that holds. Where nothing holds, it is a process without secrets, no more.
"""

import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from tasks.registry import confinement
else:  # as a program of its own it knows no packages of ours
    confinement = ModuleType("confinement")
    _file = Path(__file__).with_name("confinement.py")
    SourceFileLoader("confinement", str(_file)).exec_module(confinement)

LOADED, FAILED = 0, 3
SECONDS = 300
_SET_SECCOMP, _OF_A_THREAD = 1, 0x10000
_KILL, _UNKNOWN, _ALLOW = 0x80000000, 0x00050000 | 38, 0x7FFF0000
_LOAD, _IS, _HAS, _RETURN = 0x20, 0x15, 0x45, 0x06
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class _Calls(NamedTuple):
    """Numbers of system calls on a kind of machine."""

    architecture: int
    seccomp: int
    deadly: tuple[int, ...]
    """socket, connect, execve, execveat, ptrace, process_vm_writev, io_uring_setup, pidfd_getfd,
    bpf, kill; and fork, vfork and creat where there are any."""
    unknown: tuple[int, ...]
    """openat2, clone3, whose arguments nobody can see; and open. Others stand in for them."""
    openat: int
    clone: int


_MACHINES = {
    "x86_64": _Calls(
        *(0xC000003E, 317),
        deadly=(41, 42, 59, 322, 101, 311, 425, 438, 321, 62, 57, 58, 85),
        unknown=(437, 435, 2),
        openat=257,
        clone=56,
    ),
    "aarch64": _Calls(
        *(0xC00000B7, 277),
        deadly=(198, 203, 221, 281, 117, 271, 425, 438, 280, 129),
        unknown=(437, 435),
        openat=56,
        clone=220,
    ),
}


def main() -> None:
    """Load one file after the other, as their paths come in."""
    import torch
    from torch._export.serde import serialize  # noqa: F401 - so that no fork imports them
    from torch._inductor import cpp_builder  # noqa: F401
    from torch.export.pt2_archive import _package  # noqa: F401

    # Who looks for a GPU opens its device, which would look like reaching out.
    torch.cuda.is_available = lambda: False

    for line in sys.stdin:
        heard, told = os.pipe()
        fork = os.fork()
        if not fork:
            _load(json.loads(line), told)
        os.close(told)
        with os.fdopen(heard, "rb") as said:
            words = said.read(4096).decode("ascii", "replace")
        _, status = os.waitpid(fork, 0)
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), words]) + "\n")
        sys.stdout.flush()


def _load(file: str, told: int) -> NoReturn:
    import torch

    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # nobody can answer in our name
        os.dup2(nothing, stream)
    signal.alarm(SECONDS)
    held = _give_up(file)
    try:
        torch.export.load(file).module()
    except BaseException as error:  # noqa: BLE001 - whatever it is, the run must not load it
        os.write(told, type(error).__name__.encode())
        os._exit(FAILED)
    os.write(told, " ".join(held).encode())
    os._exit(LOADED)


def _give_up(file: str) -> list[str]:
    """Give up what can be; names of what holds."""
    libc = ctypes.CDLL(None, use_errno=True)
    confinement.give_up_privileges(libc)
    for limit, most in (("FSIZE", 0), ("CPU", SECONDS)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{limit}"), (most, most))
    readable = dict.fromkeys(_readable(file), confinement.READ)
    found = {
        "network": confinement.give_up_network(libc),
        "files": confinement.give_up_files(libc, readable),
        "calls": _give_up_calls(libc),
    }
    return [name for name, holds in found.items() if holds]


def _readable(file: str) -> Iterator[str]:
    yield from {str(Path(file).parent), sys.prefix, sys.base_prefix, *sys.path}
    yield from ("/usr", "/lib", "/lib64", "/sys/devices", "/dev/urandom", "/proc/self")


def _give_up_calls(libc: ctypes.CDLL) -> bool:
    """Seccomp: a call that reaches beyond the process ends it."""
    calls = _MACHINES.get(platform.machine())
    if calls is None:
        return False
    steps = [*_filter(calls)]
    program = ctypes.create_string_buffer(b"".join(steps))
    whole = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    return libc.syscall(calls.seccomp, _SET_SECCOMP, 0, whole) == 0


def _filter(calls: _Calls) -> Iterator[bytes]:
    """A program for the kernel, in steps: code, jumps if so and if not, value."""

    def step(code: int, value: int, so: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("HBBI", code, so, otherwise, value)

    number, architecture, first, third = 0, 4, 16, 32  # where they stand
    yield step(_LOAD, architecture)
    yield step(_IS, calls.architecture, so=1)
    yield step(_RETURN, _KILL)
    yield step(_LOAD, number)
    for outcome, some in ((_KILL, calls.deadly), (_UNKNOWN, calls.unknown)):
        for call in some:
            yield step(_IS, call, otherwise=1)
            yield step(_RETURN, outcome)
    yield step(_IS, calls.openat, otherwise=3)
    yield step(_LOAD, third)
    yield step(_HAS, _WRITING, otherwise=4)
    yield step(_RETURN, _KILL)
    yield step(_IS, calls.clone, otherwise=2)
    yield step(_LOAD, first)
    yield step(_HAS, _OF_A_THREAD, so=0, otherwise=1)
    yield step(_RETURN, _ALLOW)
    yield step(_RETURN, _KILL)


if __name__ == "__main__":
    main()
