"""The benchmark on a small problem: it runs, resumes, and its figures can be checked by hand."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from benchmarks import run, scale
from benchmarks.architectures import resnet, vgg19
from benchmarks.cases import Case
from benchmarks.datasets import load, split
from benchmarks.intervals import average_ranks, confidence_interval, ratio_interval
from benchmarks.measure import APPROXIMATE, METRICS, gap
from unlearning.config.training_config import TrainingConfig
from unlearning.training.architectures import mlp

SMALL = Case(
    name="small",
    folder="small",
    build=lambda data, seed: mlp(data.train.inputs.shape[1], (16,), data.classes, seed),
    training=TrainingConfig(epochs=3, batch_size=32),
)


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "data" / "small"
    folder.mkdir(parents=True)
    for name, count in (("train", 300), ("test", 120)):
        features = random.integers(0, 2, (count, 8)).astype(np.uint8)
        flat = pa.FixedSizeListArray.from_arrays(pa.array(features.reshape(-1)), 8)
        labels = pa.array((features[:, 0] + random.integers(0, 2, count)).astype(np.int64))
        pq.write_table(pa.table({"label": labels, "features": flat}), folder / f"{name}.parquet")
    return tmp_path / "data"


def test_what_a_method_reads_is_not_what_it_is_judged_on(data):
    parts = split(load(data / "small", train_rows=10**9), forget_share=0.1, seed=3)
    assert parts.forget.count == 30
    assert parts.retain.count == 270
    assert parts.retain_read.count + parts.retain_judged.count == 270
    assert parts.holdout_read.count + parts.holdout_judged.count == 120


def test_pixels_are_scaled_and_the_noted_shape_is_given(tmp_path):
    flat = pa.FixedSizeListArray.from_arrays(pa.array([0, 255, 51, 102] * 2, pa.uint8()), 4)
    table = pa.table({"label": pa.array([0, 1], pa.int64()), "features": flat})
    table = table.replace_schema_metadata({"dataset": json.dumps({"shape": "1x2x2"})})
    for name in ("train", "test"):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    inputs = load(tmp_path, train_rows=1).train.inputs
    torch.testing.assert_close(inputs, torch.tensor([[[[0.0, 1.0], [0.2, 0.4]]]]))


def test_the_gap_is_the_mean_distance_to_the_mean_of_the_retrained():
    known: list[dict[str, float]] = [dict.fromkeys(METRICS, value) for value in (0.2, 0.4)]
    assert gap(dict.fromkeys(METRICS, 0.5), known) == pytest.approx(0.2)


def test_intervals_and_ranks_by_hand():
    assert confidence_interval([1.0, 2.0, 3.0]) == "2.0000 ± 2.4841"  # 4.3027 / sqrt(3)
    assert ratio_interval([1.0, 2.0], [2.0, 4.0]) == "0.50 ± 0.00"
    problems = [
        {"methods": {"a": {"gap": 0.1}, "b": {"gap": 0.2}, "c": {"gap": 0.2}}},
        {"methods": {"a": {"gap": 0.3}, "b": {"gap": 0.2}, "c": {"gap": 0.1}}},
    ]
    assert average_ranks(problems) == {"a": 2.0, "b": 2.25, "c": 1.75}


def test_a_run_measures_every_method_and_a_second_one_trains_nothing_anew(
    data, tmp_path, monkeypatch
):
    monkeypatch.setitem(run.CASES, "small", SMALL)
    plan = run.Plan(
        data=data, models=tmp_path / "models", shares=(0.1,), seeds=2, retrained=2, threads=1
    )
    results = tmp_path / "results"
    run.run(plan, cases=("small",), results=results)
    found = json.loads((results / "small.json").read_text())
    assert [len(one["methods"]) for one in found["problems"]] == [len(APPROXIMATE)] * 2
    assert all(m["rows"] > 0 for m in found["problems"][0]["methods"].values())
    table = (tmp_path / "RESULTS.md").read_text()
    assert all(f"| {name} |" in table for name in APPROXIMATE)
    assert (results / "small.png").stat().st_size > 10_000

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "models").iterdir()}
    assert len(before) == 2 + 2 * 2
    assert len(list(run.measure_case(SMALL, plan))) == 2
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "models").iterdir()}


def test_unknown_cases_and_missing_data_are_refused(data):
    plan = run.Plan(data=data)
    with pytest.raises(ValueError, match="no case 'nothing'"):
        run.chosen(("nothing",), plan)
    with pytest.raises(ValueError, match="no data"):
        run.chosen((), plan)


def test_a_case_that_takes_hours_is_measured_only_where_it_is_named(data, monkeypatch, capsys):
    slow = replace(SMALL, name="slow", takes_hours=True)
    monkeypatch.setattr(run, "CASES", {"small": SMALL, "slow": slow})
    plan = run.Plan(data=data)
    assert run.chosen((), plan) == [SMALL]
    assert "slow: takes hours" in capsys.readouterr().out
    assert run.chosen(("slow",), plan) == [slow]


def test_a_batch_of_any_kind_of_request_ends_in_exactly_one_state_each(home, monkeypatch):
    monkeypatch.setenv("EXPUNGE_HOME", str(home))
    found = scale.measure(home, requests=300, rows=1000, subjects=400)
    assert found["states"] == {
        "quarantined": 3,
        "duplicate": 3,
        "on_hold": 3,
        "not_found": 6,
        "erased": 285,
    }
    again = [s for s in found["stages"] if s["batch"] == "one more"]
    assert max(s["read"] for s in again) < 60
    assert max(s["written"] for s in again) < 10


@pytest.mark.parametrize(
    ("build", "convolutions", "parameters"), [(resnet, 20, 11_173_962), (vgg19, 16, 20_035_018)]
)
def test_the_large_image_networks_are_of_the_usual_size(build, convolutions, parameters):
    model = build(3, 10, seed=0)
    assert sum(isinstance(layer, nn.Conv2d) for layer in model.modules()) == convolutions
    assert sum(value.numel() for value in model.parameters()) == parameters
    assert model.eval()(torch.ones(2, 3, 32, 32)).shape == (2, 10)
