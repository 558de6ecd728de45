import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tasks.certificates import certificates
from tasks.journal.effects import once
from tasks.journal.events.batches import PurgeIntended
from tasks.journal.events.catalog import batch_stream
from tasks.store import lease
from unlearning.errors import ConflictError


@pytest.fixture(autouse=True)
def _quick(monkeypatch, store):
    monkeypatch.setattr(lease, "BEAT_S", 0.1)
    # Much, so that a holder on a busy machine is not taken for dead.
    monkeypatch.setattr(lease, "PATIENCE_S", 600.0)
    monkeypatch.setattr(lease, "LOOK_S", 0.2)
    yield
    lease.give_back(store)


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
    found = Clock()
    monkeypatch.setattr(lease, "time", found)
    return found


HOLDER = """
import sys, time
from tasks.certificates import certificates
from tasks.store import lease
from tasks.store.files import FileStore
lease.BEAT_S = .1
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


def test_a_live_lease_is_left_to_its_holder_and_nobody_else_makes_effects(services, other):
    assert lease.take(services.store) == f"process {other.pid} on {os.uname().nodename}"
    made = []
    with pytest.raises(ConflictError, match="at work"):
        once(
            services.journal,
            batch_stream("b"),
            key="k",
            plan=PurgeIntended(table="t", files_found=1),
            find=lambda _: None,
            make=made.append,
        )
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


def test_a_silent_holder_on_another_machine_is_waited_for(store, clock):
    holder = lease.Holder("elsewhere", 1, "another machine", "0", "token")
    store.put("lease/000001.json", json.dumps(asdict(holder)).encode())
    assert lease.take(store) == ""
    assert clock.now >= 600
    lease.check(store)


@pytest.mark.usefixtures("other")
def test_who_lost_the_lease_writes_no_certificate(services):
    with pytest.raises(ConflictError, match="Another run"):
        certificates.certify(services, "b-1")
    assert not list(services.store.list_objects("certificates/"))
