import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tasks.records import certificates
from tasks.store import lease
from tasks.store.effects import once
from unlearning.errors import ConflictError


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(lease, "_BEAT_S", 0.1)
    # Much, so that a holder on a busy machine is not taken for dead.
    monkeypatch.setattr(lease, "_PATIENCE_S", 600.0)
    monkeypatch.setattr(lease, "_LOOK_S", 0.2)
    yield
    for held in lease._held.values():
        held.stop()
    lease._held.clear()


@dataclass
class Clock:
    """Time that passes only while somebody sleeps."""

    now: float = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    monkeypatch.setattr(lease, "time", Clock())
    return lease.time


HOLDER = """
import sys, time
from tasks.records import certificates
from tasks.store import lease
from tasks.store.files import FileStore
lease._BEAT_S = .1
store = FileStore(sys.argv[1])
assert lease.take(store) == ""
print("taken", flush=True)
sys.stdin.readline()
try:
    lease.check(store)
    print("may go on", flush=True)
except Exception as error:
    print(type(error).__name__, flush=True)
"""


@pytest.fixture
def other(store):
    """Another process that holds the lease, and asks before an effect when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.root)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    with process:
        yield process
        process.kill()


def test_a_free_lease_is_taken_given_back_and_taken_again(store):
    for _ in range(3):
        assert lease.take(store) == ""
        lease.check(store)
        lease.give_back(store)
    lease.check(store)
    assert [i.key for i in store.list_objects(lease.PREFIX)] == [
        "lease/000003.done", "lease/000003.json",
    ]  # fmt: skip


def test_a_live_lease_is_left_to_its_holder_and_nobody_else_makes_effects(store, other):
    assert lease.take(store) == f"process {other.pid} on {os.uname().nodename}"
    made = []
    with pytest.raises(ConflictError, match="at work"):
        once(
            store, "batches/b", key="k", event="RowsCounted", plan={},
            find=lambda _: None, make=made.append,
        )  # fmt: skip
    assert not made


def test_the_lease_of_a_killed_process_is_taken_at_once(store, other, clock):
    other.kill()
    other.wait()
    assert lease.take(store) == ""
    assert clock.now == 0


def test_a_run_that_wakes_up_after_another_took_over_stops_before_its_next_effect(
    store, other, clock
):
    os.kill(other.pid, signal.SIGSTOP)
    assert lease.take(store) == ""
    assert clock.now >= 600
    os.kill(other.pid, signal.SIGCONT)
    assert other.communicate("\n", timeout=600)[0] == "ConflictError\n"
    lease.check(store)


def test_a_silent_holder_on_another_machine_is_waited_for(store, monkeypatch, clock):
    here = lease._this_process()
    monkeypatch.setattr(lease, "_this_process", lambda: replace(here, machine="another"))
    assert lease.take(store) == ""
    lease._held.pop(store.uri).stop()
    monkeypatch.setattr(lease, "_this_process", lambda: here)
    assert lease.take(store) == ""
    assert clock.now >= 600


@pytest.mark.usefixtures("other")
def test_who_lost_the_lease_writes_no_certificate(store):
    with pytest.raises(ConflictError, match="Another run"):
        certificates.certify(store, "b-1")
    assert not list(store.list_objects("certificates/"))
