import subprocess
import sys
from pathlib import Path

import pytest
import servers
from terminal import request

from tasks.environment.settings import load_settings
from tasks.registry.services import Services

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[2]


def ledgers(terminal) -> list[str]:
    services = Services.open(load_settings(), (terminal.home / "store").as_uri())
    return [info.key for info in services.store.list_objects("ledgers/")]


def drop(terminal) -> None:
    services = Services.open(load_settings(), (terminal.home / "store").as_uri())
    for key in ledgers(terminal):
        services.store.delete(key)


@pytest.mark.slow
def test_two_ranks_compute_a_missing_ledger_together(terminal):
    terminal.train()
    (key,) = ledgers(terminal)
    drop(terminal)
    start = "-m torch.distributed.run --nproc-per-node 2 --rdzv-backend c10d"
    place = "--rdzv-endpoint 127.0.0.1:0 --local-addr 127.0.0.1 -m flows.cli ledger income"
    done = subprocess.run(
        [sys.executable, *start.split(), *place.split()],
        env=terminal.environment | {"OMP_NUM_THREADS": "1"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=servers.PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert ledgers(terminal) == [key]
    assert "gradient ledger stored" in done.stderr


@pytest.mark.slow
def test_a_run_needs_no_ledger_and_ends_well_when_none_can_be_computed(terminal):
    terminal.train()
    drop(terminal)
    terminal.submit("requests.jsonl", [request(i) for i in range(150)])
    # Where the next ledgers would go there is a file.
    folder = terminal.home / "store" / "ledgers"
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir()
    folder.rmdir()
    folder.write_text("in the way")
    printed = terminal.expunge("run")
    assert "gate passed" in printed
    assert set(terminal.outcomes().values()) == {"erased"}
    assert "expunge ledger" in printed
    folder.unlink()
    terminal.expunge("ledger")
    assert len(ledgers(terminal)) == 1
