import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from deltalake import write_deltalake
from safetensors.torch import load
from tables import rows, subject
from torch import nn

from tasks.attempts import candidates
from tasks.datasets.spec import DatasetSpec
from tasks.enrolling import gradient_ledgers
from tasks.models.enrollment import (
    Enrollment,
    ledger_key,
    read_enrollment,
    record_enrollment,
    stream,
)
from tasks.store import journal
from tasks.tables import delta
from unlearning.config.gate_policy import GatePolicy
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
from unlearning.policy.budget import Deletions

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
    held = SimpleNamespace(module=model(), tags={})
    monkeypatch.setattr(gradient_ledgers.model_files, "load_model", lambda *_, **__: held)
    monkeypatch.setattr(
        gradient_ledgers.mlflow_registry,
        "tag_version",
        lambda _, number, tags: held.tags.update({number: tags}),
    )
    return held


@pytest.fixture
def enrolled(store, uri, registered) -> Enrollment:
    enrollment = Enrollment(
        model="income",
        version=1,
        digest=model_digest(registered.module.state_dict()),
        dataset=DatasetSpec(uri, ("features",), "label", "subject_id"),
        dataset_version=1,
        row_count=100,
        holdout=uri,
        unlearning=UnlearningConfig(method="published_step"),
        policy=GatePolicy(),
        deletions=Deletions(trained_rows=100),
    )
    record_enrollment(store, enrollment)
    return enrollment


def keys(store) -> list[str]:
    return [info.key for info in store.list_objects("ledgers/")]


def advance(store, uri, version=2, row_count=90):
    write_deltalake(uri, rows(row_count, seed=3), mode="overwrite")
    facts = {"dataset_version": version, "row_count": row_count, "batch": "b"}
    journal.append(store, journal.Entry(stream("income"), "b/advanced", "SnapshotAdvanced", facts))
    return read_enrollment(store, "income")


def test_a_ledger_is_computed_once_and_tagged(store, enrolled, registered):
    key = gradient_ledgers.refresh_ledger(store, "income")
    before = [(i.key, i.version) for i in store.list_objects("")]
    assert gradient_ledgers.refresh_ledger(store, "income") == key
    assert [(i.key, i.version) for i in store.list_objects("")] == before
    assert registered.tags == {1: {"expunge.ledger": key}}
    assert gradient_ledgers.read_ledger(store, enrolled).gradient.row_count == 100


def test_ledgers_over_erased_rows_are_dropped_and_a_new_one_takes_their_place(store, enrolled, uri):
    old = gradient_ledgers.refresh_ledger(store, "income")
    current = advance(store, uri)
    assert gradient_ledgers.read_ledger(store, current) is None
    gradient_ledgers.drop_stale_ledgers(store, "income")
    assert keys(store) == []
    new = gradient_ledgers.refresh_ledger(store, "income")
    assert keys(store) == [new] != [old]


def test_a_ledger_that_was_overtaken_by_an_erasure_does_not_stay(store, enrolled, uri, registered):
    advance(store, uri)
    # A pass that began before the erasure ends after it.
    gradient_ledgers.store_ledger(store, enrolled, registered.module)
    assert keys(store) == []


def test_the_current_ledger_of_another_model_of_the_same_weights_stays(store, enrolled, tmp_path):
    other = (tmp_path / "other").as_uri()
    write_deltalake(other, rows(30, seed=9))
    spec = replace(enrolled.dataset, uri=other)
    twin = replace(enrolled, model="twin", dataset=spec, dataset_version=0, row_count=30)
    record_enrollment(store, twin)
    both = {gradient_ledgers.refresh_ledger(store, name) for name in ("income", "twin")}
    gradient_ledgers.refresh_ledger(store, "income")
    assert set(keys(store)) == both


@pytest.mark.parametrize("damage", [b"", b"\xff" * 50, None], ids=["empty", "noise", "half"])
def test_a_damaged_ledger_is_refused_and_a_refresh_mends_it(store, enrolled, damage):
    key = gradient_ledgers.refresh_ledger(store, "income")
    data, intact = store.get(key), gradient_ledgers.read_ledger(store, enrolled)
    store.put(key, data[: len(data) // 2] if damage is None else damage)
    with pytest.raises(StaleLedgerError, match="expunge ledger"):
        gradient_ledgers.read_ledger(store, enrolled)
    gradient_ledgers.refresh_ledger(store, "income")
    mended = gradient_ledgers.read_ledger(store, enrolled)
    for name, value in intact.gradient.values.items():
        assert value.equal(mended.gradient.values[name])


def test_a_ledger_of_another_snapshot_is_refused(store, enrolled, uri):
    old = gradient_ledgers.refresh_ledger(store, "income")
    current = advance(store, uri)
    store.put(ledger_key(current), store.get(old))
    with pytest.raises(StaleLedgerError, match="pinned"):
        gradient_ledgers.read_ledger(store, current)


def test_nothing_is_written_when_weights_or_rows_are_others(store, enrolled, registered):
    with pytest.raises(ConflictError, match="expunge enroll income"):
        gradient_ledgers.store_ledger(store, replace(enrolled, digest="0" * 64), registered.module)
    with pytest.raises(SnapshotChangedError, match="100 rows and 99"):
        gradient_ledgers.store_ledger(store, replace(enrolled, row_count=99), registered.module)
    with pytest.raises(DataError):
        gradient_ledgers.store_ledger(
            store, replace(enrolled, dataset_version=7), registered.module
        )
    nn.init.constant_(registered.module.bias, float("nan"))
    broken = replace(enrolled, digest=model_digest(registered.module.state_dict()))
    with pytest.raises(DivergenceError):
        gradient_ledgers.store_ledger(store, broken, registered.module)
    assert keys(store) == []


@pytest.mark.parametrize(("method", "is_read"), [("calibrated", False), ("theory_step", True)])
def test_only_a_method_that_takes_a_ledger_pays_for_one(store, enrolled, method, is_read):
    assert (candidates._ledger(store, method, enrolled, model()) is not None) == is_read
    assert bool(keys(store)) == is_read


RANK = """
import json, sys
from pathlib import Path
import torch
from tasks.datasets.spec import DatasetSpec
from tasks.datasets.rows import TableRows
from tasks.hardware.ranks import rank_group
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
    return TableRows(spec, None, only=only, part=(own_rank(), rank_count()))

with rank_group() as is_first:
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
def test_a_gpu_ledger_is_the_cpu_ledger(store, enrolled, registered, monkeypatch):
    key = gradient_ledgers.refresh_ledger(store, "income")
    on_gpu = load(store.get(key))
    monkeypatch.setattr(gradient_ledgers, "pick_device", lambda: "cpu")
    gradient_ledgers.store_ledger(store, enrolled, registered.module.cpu())
    for name, value in load(store.get(key)).items():
        torch.testing.assert_close(on_gpu[name], value, rtol=1e-5, atol=1e-7)


def test_a_ledger_whose_rows_are_erased_meanwhile_is_computed_over_those_left(store, enrolled, uri):
    delta.delete_rows(uri, "subject_id", [subject(3)])
    delta.vacuum(uri)
    with pytest.raises(TransientError, match="were erased while the ledger"):
        gradient_ledgers.refresh_ledger(store, "income")
    facts = {"dataset_version": delta.open_table(uri).version(), "row_count": 99, "batch": "b"}
    journal.append(store, journal.Entry(stream("income"), "b/advanced", "SnapshotAdvanced", facts))
    gradient_ledgers.refresh_ledger(store, "income")
    assert (
        gradient_ledgers.read_ledger(store, read_enrollment(store, "income")).gradient.row_count
        == 99
    )
