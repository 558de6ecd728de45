"""Gradient ledgers: computed once, over all rows and no others, by any number of ranks."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import factories
import pytest
import torch
from deltalake import write_deltalake
from factories import advanced
from safetensors.torch import load
from small_tables import rows, subject
from torch import nn

from tasks.enrolling import gradient_ledgers
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import read_enrollment, record_enrollment
from tasks.registry import model_files
from tasks.registry.mlflow_registry import Registry
from tasks.tables import deletion
from tasks.tables.delta import open_table
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import (
    ConflictError,
    DataError,
    DivergenceError,
    SnapshotChangedError,
    StaleLedgerError,
    TransientError,
)
from unlearning.model.weights import model_digest

PROJECT = Path(__file__).parents[3]


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(40, 2)


@pytest.fixture
def uri(tmp_path) -> str:
    place = (tmp_path / "t").as_uri()
    write_deltalake(place, rows(60, seed=1))
    write_deltalake(place, rows(40, first=60, seed=2), mode="append")
    return place


@pytest.fixture
def registered(monkeypatch):
    """A registry that holds one model, and the tags it was given."""
    found = SimpleNamespace(module=model(), tags={})
    monkeypatch.setattr(model_files, "load_model", lambda *_, **__: found)
    monkeypatch.setattr(
        Registry, "tag_version", lambda _, __, number, tags: found.tags.update({number: tags})
    )
    return found


@pytest.fixture
def enrolled(services, uri, registered) -> Enrollment:
    enrollment = factories.enrollment(
        digest=model_digest(registered.module.state_dict()),
        dataset=factories.dataset(uri=uri),
        dataset_version=1,
        holdout=uri,
        unlearning=UnlearningConfig(method="published_step"),
    )
    record_enrollment(services.journal, enrollment)
    return enrollment


def keys(services) -> list[str]:
    return [info.key for info in services.store.list_objects("ledgers/")]


def tell(services, version, row_count):
    facts = advanced(version, row_count, "b")
    services.journal.append(model_stream("income"), ids.advanced("b", "table", 1), facts)


def advance(services, uri, version=2, row_count=90):
    write_deltalake(uri, rows(row_count, seed=3), mode="overwrite")
    tell(services, version, row_count)
    return read_enrollment(services.journal, "income")


def test_a_ledger_is_computed_once_and_tagged(services, enrolled, registered):
    key = gradient_ledgers.refresh_ledger(services, "income")
    before = [(i.key, i.version) for i in services.store.list_objects("")]
    assert gradient_ledgers.refresh_ledger(services, "income") == key
    assert [(i.key, i.version) for i in services.store.list_objects("")] == before
    assert registered.tags == {1: {"expunge.ledger": key}}
    assert gradient_ledgers.read_ledger(services, enrolled).gradient.row_count == 100


def test_ledgers_over_erased_rows_are_dropped_and_a_new_one_takes_their_place(
    services, enrolled, uri
):
    old = gradient_ledgers.refresh_ledger(services, "income")
    current = advance(services, uri)
    assert gradient_ledgers.read_ledger(services, current) is None
    gradient_ledgers.drop_stale_ledgers(services, "income")
    assert keys(services) == []
    new = gradient_ledgers.refresh_ledger(services, "income")
    assert keys(services) == [new] != [old]


def test_a_ledger_that_was_overtaken_by_an_erasure_does_not_stay(
    services, enrolled, uri, registered
):
    advance(services, uri)
    # A pass that began before the erasure ends after it.
    gradient_ledgers.store_ledger(services, enrolled, registered.module)
    assert keys(services) == []


def test_the_current_ledger_of_another_model_of_the_same_weights_stays(
    services, enrolled, tmp_path
):
    other = (tmp_path / "other").as_uri()
    write_deltalake(other, rows(30, seed=9))
    spec = replace(enrolled.dataset, uri=other)
    twin = replace(enrolled, model="twin", dataset=spec, dataset_version=0, row_count=30)
    record_enrollment(services.journal, twin)
    both = {gradient_ledgers.refresh_ledger(services, name) for name in ("income", "twin")}
    gradient_ledgers.refresh_ledger(services, "income")
    assert set(keys(services)) == both


@pytest.mark.parametrize("damage", [b"", b"\xff" * 50, None], ids=["empty", "noise", "half"])
def test_a_damaged_ledger_is_refused_and_a_refresh_mends_it(services, enrolled, damage):
    key = gradient_ledgers.refresh_ledger(services, "income")
    data, intact = services.store.get(key), gradient_ledgers.read_ledger(services, enrolled)
    services.store.put(key, data[: len(data) // 2] if damage is None else damage)
    with pytest.raises(StaleLedgerError, match="expunge ledger"):
        gradient_ledgers.read_ledger(services, enrolled)
    gradient_ledgers.refresh_ledger(services, "income")
    mended = gradient_ledgers.read_ledger(services, enrolled)
    for name, value in intact.gradient.values.items():
        assert value.equal(mended.gradient.values[name])


def test_a_ledger_of_another_snapshot_is_refused(services, enrolled, uri):
    old = gradient_ledgers.refresh_ledger(services, "income")
    current = advance(services, uri)
    services.store.put(current.ledger_key, services.store.get(old))
    with pytest.raises(StaleLedgerError, match="pinned"):
        gradient_ledgers.read_ledger(services, current)


def test_nothing_is_written_when_weights_or_rows_are_others(services, enrolled, registered):
    with pytest.raises(ConflictError, match="expunge enroll income"):
        gradient_ledgers.store_ledger(
            services, replace(enrolled, digest="0" * 64), registered.module
        )
    with pytest.raises(SnapshotChangedError, match="100 rows and 99"):
        gradient_ledgers.store_ledger(services, replace(enrolled, row_count=99), registered.module)
    with pytest.raises(DataError):
        gradient_ledgers.store_ledger(
            services, replace(enrolled, dataset_version=7), registered.module
        )
    nn.init.constant_(registered.module.bias, float("nan"))
    broken = replace(enrolled, digest=model_digest(registered.module.state_dict()))
    with pytest.raises(DivergenceError):
        gradient_ledgers.store_ledger(services, broken, registered.module)
    assert keys(services) == []


RANK = """
import json, sys
from pathlib import Path
import torch
from tasks.journal.events.enrollment import DatasetSpec
from tasks.datasets.rows import TableRows
from tasks.environment.settings import load_settings
from tasks.environment.ranks import rank_group
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.model.distributed import own_rank, rank_count, shared_gradient
from unlearning.methods.catalog import unlearn
from unlearning.methods.problem import UnlearningProblem

class Double(torch.nn.Linear):
    def forward(self, inputs):
        return super().forward(inputs.double())

uri, out, what = sys.argv[1:]
torch.manual_seed(0)
model = Double(40, 2, dtype=torch.float64)

def rows(only):
    shape = (7,) if what == "fails" and own_rank() == 1 else ()
    spec = DatasetSpec(uri, ("features",), "label", "subject_id", shape)
    return TableRows(load_settings(), spec, None, only=only, part=(own_rank(), rank_count()))

with rank_group(load_settings()) as is_first:
    if what == "step":
        forget = [f"zq7subject-{i:05d}" for i in range(5)]
        problem = UnlearningProblem(model=model, forget=rows(forget), retain=rows(None),
            holdout=rows(None))
        values = unlearn(problem, UnlearningConfig(method="theory_step", chunk_size=7))
        facts = {}
    else:
        mine = rows(None)
        gradient = shared_gradient(model, mine, chunk_size=7)
        values, facts = gradient.values, {"rows": gradient.row_count, "loss": gradient.mean_loss}
        facts["mine"] = mine.count
    numbers = [x.hex() for name in sorted(values) for x in values[name].flatten().tolist()]
    name = f"{out}-{own_rank()}"
    Path(name).write_text(json.dumps(facts | {"world": rank_count(), "numbers": numbers}))
"""


def torchrun(world: int, *arguments: str) -> subprocess.CompletedProcess:
    start = ["-m", "torch.distributed.run", "--nproc-per-node", str(world)]
    start += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    start += ["--local-addr", "127.0.0.1"]
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        cwd=PROJECT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def results(tmp_path, uri, world, what="ledger", name="out") -> list[dict]:
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    if world == 1:
        alone = [sys.executable, str(script), uri, str(tmp_path / name), what]
        subprocess.run(
            alone, cwd=PROJECT, env=os.environ | {"PYTHONPATH": str(PROJECT)}, check=True
        )
    else:
        done = torchrun(world, script, uri, tmp_path / name, what)
        assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((tmp_path / f"{name}-{rank}").read_text()) for rank in range(world)]


def numbers(result: dict) -> torch.Tensor:
    return torch.tensor([float.fromhex(x) for x in result["numbers"]], dtype=torch.float64)


def test_two_ranks_find_what_one_finds_and_the_same_bits_again(tmp_path, uri):
    (alone,) = results(tmp_path, uri, 1, name="alone")
    first, second = (results(tmp_path, uri, 2, name=name) for name in ("first", "second"))
    assert [r["world"] for r in first] == [2, 2]
    assert all(0 < r["mine"] < 100 for r in first)
    assert {r["rows"] for r in (alone, *first)} == {100}
    for result in first:
        assert result["loss"] == pytest.approx(alone["loss"], rel=1e-12)
        torch.testing.assert_close(numbers(result), numbers(alone), rtol=1e-12, atol=1e-15)
    assert first[0]["numbers"] == first[1]["numbers"]
    assert first == second


def test_a_rank_without_rows_takes_part(tmp_path):
    uri = (tmp_path / "one").as_uri()
    write_deltalake(uri, rows(30, seed=4))
    (alone,) = results(tmp_path, uri, 1, name="alone")
    both = results(tmp_path, uri, 2)
    assert sorted(r["mine"] for r in both) == [0, 30]
    assert [r["numbers"] for r in both] == [alone["numbers"]] * 2


def test_two_ranks_take_the_same_step_as_one(tmp_path, uri):
    (alone,) = results(tmp_path, uri, 1, "step", name="alone")
    both = results(tmp_path, uri, 2, "step")
    assert both[0] == both[1]
    torch.testing.assert_close(numbers(both[0]), numbers(alone), rtol=1e-12, atol=1e-15)


def test_a_rank_that_fails_ends_the_others(tmp_path, uri):
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    done = torchrun(2, script, uri, tmp_path / "out", "fails")
    assert done.returncode != 0
    assert "do not make the shape" in done.stderr
    assert "Rank 1 failed" in done.stderr
    assert not (tmp_path / "out-0").exists()


@pytest.mark.gpu
def test_a_gpu_ledger_is_the_cpu_ledger(services, enrolled, registered, monkeypatch):
    key = gradient_ledgers.refresh_ledger(services, "income")
    on_gpu = load(services.store.get(key))
    monkeypatch.setattr(gradient_ledgers, "pick_device", lambda _: "cpu")
    gradient_ledgers.store_ledger(services, enrolled, registered.module.cpu())
    for name, value in load(services.store.get(key)).items():
        torch.testing.assert_close(on_gpu[name], value, rtol=1e-5, atol=1e-7)


def test_a_ledger_whose_rows_are_erased_meanwhile_is_computed_over_those_left(
    services, enrolled, uri
):
    deletion.delete_rows(services.settings, uri, "subject_id", [subject(3)])
    deletion.vacuum(services.settings, uri)
    with pytest.raises(TransientError, match="were erased while the ledger"):
        gradient_ledgers.refresh_ledger(services, "income")
    tell(services, open_table(services.settings, uri).version(), 99)
    gradient_ledgers.refresh_ledger(services, "income")
    current = read_enrollment(services.journal, "income")
    ledger = gradient_ledgers.read_ledger(services, current)
    assert ledger.gradient.row_count == 99
