"""One run at a time: a lease with a fencing number, made of create-only objects.

    lease/000007.json   the seventh lease and its holder; who creates the next number has it
    lease/000007.beat   overwritten by its holder every few seconds: a sign of life, never a truth
    lease/000007.done   the holder gave it back

The number is the fence. It is looked at right before every effect on the outside (`check`), so a
run that slept through its own replacement stops there, whatever it believed before. Between that
look and the effect a process can still fall asleep: then a Delta commit conflicts, an alias or a
version is found rather than made again, and the journal refuses a status that was moved on.

No clock of another machine decides anything. Who finds a lease that was not given back watches its
sign of life by its own monotonic clock, and takes over after `PATIENCE_S` without one; at once if
the holder was a process of this very machine that no longer exists. Prefect's own concurrency limit
is not enough: its leases lie in its server, which does not see effects.
"""

import json
import logging
import os
import secrets
import socket
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks.store.objects import MissingObjectError, ObjectStore
from unlearning.errors import ConflictError, ExpungeError

log = logging.getLogger("expunge.lease")

PREFIX = "lease/"
BEAT_S = 5.0
"""Seconds between two signs of life."""
PATIENCE_S = 60.0
"""Seconds without one until a holder is taken for dead."""
LOOK_S = 1.0
"""Seconds between two looks for one."""
_GONE = ("", "Z", "X")  # no such process, or one that ended and was not collected yet


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that took a lease."""

    host: str
    pid: int
    machine: str
    """Boot and process namespace; empty where the system does not say."""
    started: str
    token: str

    @property
    def name(self) -> str:
        """Host and process, for people."""
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the objects say: the highest number, its latest sign of life, whether it is over."""

    number: int
    beat: str
    is_done: bool


class _Lease:
    """A lease of this process and the thread that keeps it alive."""

    def __init__(self, store: ObjectStore, number: int) -> None:
        self.number = number
        self._store = store
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="expunge-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        count = 0
        while not self._over.wait(BEAT_S):
            count += 1
            try:
                self._store.put(_key(self.number, "beat"), str(count).encode())
            except ExpungeError as error:
                log.warning("The lease could not be renewed: %s", error)


_leases: dict[str, _Lease] = {}


def take(store: ObjectStore) -> str:
    """Take the lease; returns "" if this process has it now, else the name of who has it.

    Costs nothing if it is free, a few seconds if another run is alive, `PATIENCE_S` if its holder
    died on another machine.
    """
    me = this_process()
    if store.uri in _leases:
        return me.name
    while not (seen := _look(store)).is_done:
        holder = _holder(store, seen.number)
        if holder is not None and not _is_gone(holder, me) and _lives(store, seen):
            return holder.name
        if holder is not None and _look(store).number == seen.number:
            log.warning("Taking over from %s, which ended early", holder.name)
            break
    number = seen.number + 1
    if not store.put_if_absent(_key(number, "json"), json.dumps(asdict(me)).encode()):
        return _name(store, number)
    # A number below the highest may have been free because it was cleaned away: it is no lease.
    latest = _look(store).number
    if latest != number:
        return _name(store, latest)
    _clean_up(store, number)
    _leases[store.uri] = _Lease(store, number)
    return ""


def is_held(store: ObjectStore) -> bool:
    """Whether this process took the lease and has not given it back, whoever took over since."""
    return store.uri in _leases


def give_back(store: ObjectStore) -> None:
    """Let the next run begin; without a lease, nothing."""
    mine = _leases.get(store.uri)
    if mine is not None:
        mine.stop()
        store.put_if_absent(_key(mine.number, "done"), b"{}")
        store.delete(_key(mine.number, "beat"))
        del _leases[store.uri]


def check(store: ObjectStore) -> None:
    """Stop before an effect if another run may be making it.

    Raises:
        ConflictError: another run took the lease from this process, or holds it and this one none.
    """
    mine, seen = _leases.get(store.uri), _look(store)
    if seen.number == mine.number if mine else seen.is_done:
        return
    raise ConflictError(
        f"Another run ({_name(store, seen.number)}) is at work on {store.uri}; nothing more was "
        "changed here, and that run goes on where this one was."
    )


def _look(store: ObjectStore) -> _Seen:
    found = {info.key.removeprefix(PREFIX): info.version for info in store.list_objects(PREFIX)}
    names = [name for name in found if name.endswith(".json")]
    number = max((int(name.partition(".")[0]) for name in names), default=0)
    is_done = number == 0 or f"{number:06d}.done" in found
    return _Seen(number, found.get(f"{number:06d}.beat", ""), is_done)


def _lives(store: ObjectStore, seen: _Seen) -> bool:
    """Whether the objects change while this process watches; it stops watching when they do."""
    log.info("Another run holds the lease; looking whether it is alive")
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        time.sleep(LOOK_S)
        now = _look(store)
        if now != seen:
            return not now.is_done
    return False


def _holder(store: ObjectStore, number: int) -> Holder | None:
    try:
        return Holder(**json.loads(store.get(_key(number, "json"))))
    except MissingObjectError:  # cleaned away by a later one
        return None


def _name(store: ObjectStore, number: int) -> str:
    holder = _holder(store, number)
    return holder.name if holder else "unknown"


def _clean_up(store: ObjectStore, number: int) -> None:
    for info in list(store.list_objects(PREFIX)):
        if int(info.key.removeprefix(PREFIX).partition(".")[0]) < number:
            store.delete(info.key)


def _key(number: int, kind: str) -> str:
    return f"{PREFIX}{number:06d}.{kind}"


def this_process() -> Holder:
    """This process as the holder of a lease."""
    pid = os.getpid()
    return Holder(socket.gethostname(), pid, _machine(), _process(pid)[1], secrets.token_hex(8))


def _is_gone(holder: Holder, me: Holder) -> bool:
    """Whether it was a process of this machine that no longer exists; False if nobody can say."""
    if not holder.machine or holder.machine != me.machine:
        return False
    if (holder.pid, holder.started) == (me.pid, me.started):
        return True  # a try of this very process, whose reply was lost
    state, started = _process(holder.pid)
    return state in _GONE or started != holder.started


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _process(pid: int) -> tuple[str, str]:
    """State and start time of a process; empty if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]
