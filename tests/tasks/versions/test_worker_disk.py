"""A purge leaves no weights on the worker's disk, where MLflow's files come over the network."""

import shutil
import tempfile

import pytest
import servers
from erased_world import World

from tasks.environment.settings import load_settings
from tasks.registry import model_files
from tasks.registry.services import Services
from tasks.versions import purging, retirement


@pytest.fixture
def worker(tmp_path, monkeypatch, mlflow_template):
    """A machine that works with an MLflow server elsewhere; its disk is its home and TMPDIR."""
    disk, elsewhere = tmp_path / "disk", tmp_path / "elsewhere"
    for folder in (disk / "home", disk / "tmp", elsewhere):
        folder.mkdir(parents=True)
    shutil.copy(mlflow_template, elsewhere / "mlflow.db")
    monkeypatch.setenv("EXPUNGE_HOME", str(disk / "home"))
    monkeypatch.setenv("EXPUNGE_RETIREMENT_DAYS", "0")
    monkeypatch.setattr(tempfile, "tempdir", str(disk / "tmp"))
    with servers.mlflow_server(elsewhere, servers.free_port()) as address:
        monkeypatch.setenv("EXPUNGE_MLFLOW_TRACKING_URI", address)
        yield World(Services.open(load_settings()), tmp_path / "tables"), disk


def files_with(folder, needle):
    return [p for p in folder.rglob("*") if p.is_file() and needle in p.read_bytes()]


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore")
def test_no_weights_of_a_purged_version_stay_on_the_workers_disk(worker):
    world, disk = worker
    parent = model_files.load_model(world.services.registry, "income", 1, is_parent=True)
    weights = next(iter(parent.module.state_dict().values())).numpy().tobytes()
    assert len(files_with(disk.parent / "elsewhere", weights)) > 0
    retirement.retire(world.services, "income")
    purging.purge(world.services, "income", 1)
    assert files_with(disk.parent, weights) == []
    assert [p.name for p in disk.rglob("*") if p.name in ("model.pt2", "input_example.json")] == []
