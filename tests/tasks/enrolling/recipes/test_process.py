"""A recipe has its rows and nothing else, and leaves none of them behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recipes_of_owners import said
from safetensors.torch import load
from small_tables import subject

from tasks.enrolling.recipes.kept import Recipe
from tasks.enrolling.recipes.process import Limits, run_recipe
from tasks.registry.services import Services
from unlearning.errors import UnfitRowsError

LIMITS = Limits(device="cpu", seconds=120, most_bytes=1 << 20)
TRIES = """\
import json, os, socket, torch
found = {}
def reach(name, work):
    try:
        found[name] = repr(work())
    except OSError as error:
        found[name] = "refused"
reach("store", lambda: os.listdir(STORE))
reach("key", lambda: open(KEY).read())
reach("table", lambda: os.listdir(TABLE))
reach("run", lambda: open(f"/proc/{os.getppid()}/environ").read())
reach("network", lambda: socket.create_connection(("127.0.0.1", PORT), 2))
reach("signal", lambda: os.kill(os.getppid(), 0))
reach("write", lambda: open(TABLE + "/x", "w"))
found["environment"] = [name for name in os.environ if "SECRET" in name or "EXPUNGE" in name]
found["columns"] = rows.column_names
return {"said": torch.tensor(list(json.dumps(found).encode()))}
"""


@pytest.fixture
def listening():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_it_reaches_neither_store_nor_key_nor_tables_nor_network(
    services, batches, tmp_path, monkeypatch, listening
):
    home = services.settings.home.resolve()
    (tmp_path / "table").mkdir()
    services.settings.pseudonym_secret()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    code = TRIES.replace("STORE", repr(str(home / "store")))
    code = code.replace("KEY", repr(str(home / "pseudonym.key")))
    code = code.replace("TABLE", repr(str(tmp_path / "table"))).replace("PORT", str(listening))
    ran = run_recipe(
        services.settings,
        Recipe(said(code)),
        batches,
        name="income",
        seed=0,
        private=[home, tmp_path / "table"],
        limits=LIMITS,
    )
    found = json.loads(bytes(load(ran.state)["said"].tolist()))
    assert found.pop("environment") == []
    assert found.pop("columns") == ["features", "label"]
    assert set(found.values()) == {"refused"}, found


def test_no_rows_are_no_training(services):
    with pytest.raises(UnfitRowsError):
        run_recipe(
            services.settings,
            Recipe(b""),
            [],
            name="income",
            seed=0,
            private=[],
            limits=LIMITS,
        )


def test_nothing_is_left_of_it_or_of_what_it_started(services, batches):
    code = said("import os, time\nif not os.fork():\n    time.sleep(1000)\nraise ValueError")
    run_recipe(
        services.settings,
        Recipe(code),
        batches,
        name="income",
        seed=0,
        private=[],
        limits=LIMITS,
    )
    assert list((services.settings.home / "downloads").iterdir()) == []
    while _processes(services.settings.home):  # killed, and perhaps not gone yet
        time.sleep(0.1)


def _processes(home: Path) -> list[str]:
    """Processes that work in a folder below the home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(home.resolve()) in str((process / "cwd").readlink()):
                found.append(process.name)
        except OSError:
            continue
    return found


KILLED = """\
import sys
from small_tables import rows
from tasks.environment.settings import load_settings
from tasks.enrolling.recipes.kept import Recipe
from tasks.enrolling.recipes.process import Limits, run_recipe
table = rows(40).rename_columns(["features_of_nobody", "label", "features"])
run_recipe(load_settings(), Recipe(sys.argv[1].encode()), table.to_batches(), name="income",
           seed=0, private=[], limits=Limits(device="cpu", seconds=600, most_bytes=1))
"""


def test_a_run_that_is_killed_in_the_middle_leaves_no_rows_after_the_next_start(services):
    home = services.settings.home.resolve()
    code = said("open('begun', 'w').close()\nimport time\ntime.sleep(1000)").decode()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.Popen([sys.executable, "-c", KILLED, code], env=environment)
    while not list(home.glob("downloads/*/begun")):
        assert run.poll() is None
        time.sleep(0.1)
    (held,) = home.glob("downloads/*/rows.arrow")
    assert subject(1).encode() in held.read_bytes()
    run.send_signal(signal.SIGKILL)
    run.wait()
    while _processes(home):  # it dies with the run
        time.sleep(0.1)
    Services.open(services.settings)
    assert list((home / "downloads").iterdir()) == []
