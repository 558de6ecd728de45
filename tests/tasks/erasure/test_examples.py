"""A row to be erased stays in no model's input example, of whatever table and model it is."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from erased_world import ROWS
from small_tables import rows, subject
from worked_on import resolved

from tasks.enrolling import enroll
from tasks.erasure import examples as cleared
from tasks.journal.events.enrollment import InputColumns
from tasks.journal.reading import read_batch
from tasks.registry import examples, logged_files
from tasks.registry.mlflow_registry import TRAINING_EXPERIMENT
from tasks.subjects import open_batches
from unlearning.errors import DataError
from unlearning.training.architectures import mlp

pytestmark = pytest.mark.filterwarnings("ignore")

HELD_OUT = ROWS + 5


def features(number):
    """The feature vector of a subject, who is in the holdout table from ROWS on."""
    table = rows(ROWS, seed=1) if number < ROWS else rows(200, first=ROWS, seed=2)
    return np.array(table["features"][number % ROWS].as_py(), dtype=np.float32)


def serve_with_example(world, example):
    """Another version in service, logged by others the usual way, with rows as its example."""
    registry = world.services.registry
    run = registry.ensure_run(TRAINING_EXPERIMENT, "elsewhere", "elsewhere")
    module = mlp(inputs=40, hidden=(8,), classes=2, seed=3)
    uri = logged_files.log_new(world.services.settings, run, module, example)
    registry.create_version("income", uri, run, {})
    world.set_alias(3)
    enroll.enroll_version(world.services, world.source(), None, trust_pickle=False)
    place = registry.client.get_model_version_download_uri("income", "3")
    return Path(unquote(urlsplit(place).path))


def interrupted(*_):
    raise KeyboardInterrupt


def values(folder):
    found = [json.loads((folder / name).read_text()) for name in examples.NAMES]
    return [np.array(one["inputs"] if isinstance(one, dict) else one) for one in found]


def test_an_example_of_somebody_in_the_holdout_is_replaced_and_the_certificate_says_so(world):
    example = np.stack([features(HELD_OUT), features(HELD_OUT + 1)])
    folder = serve_with_example(world, example)
    assert all((one == example).all() for one in values(folder))
    world.submit("H", [HELD_OUT])
    world.run()
    assert all(not one.any() and one.shape == example.shape for one in values(folder))
    certificate = world.certificate("H-245")
    assert certificate["outcome"] == "erased"
    (table,) = certificate["tables"]
    assert table["examples_replaced"] == [{"model": "income", "version": 3}]
    assert (table["examples_compared"], table["examples_left"]) == (3, [])


def test_an_example_of_somebody_in_a_former_holdout_is_replaced_too(world):
    folder = serve_with_example(world, np.stack([features(HELD_OUT)] * 2))
    other = f"file://{world.folder}/other"
    write_deltalake(other, rows(200, first=7000, seed=9))
    enroll.enroll_version(world.services, world.source(holdout=other), None, trust_pickle=False)
    world.submit("H", [HELD_OUT])
    world.run()
    assert world.requests()["H-245"].status == "erased"
    assert all(not one.any() for one in values(folder))


def test_an_example_of_somebody_else_stays(world):
    folder = serve_with_example(world, np.stack([features(HELD_OUT + 1)] * 2))
    world.submit("H", [HELD_OUT])
    world.run()
    assert all(one.any() for one in values(folder))
    (table,) = world.certificate("H-245")["tables"]
    assert table["examples_replaced"] == []


def test_an_example_that_cannot_be_replaced_holds_up_nothing_and_is_named(
    world, monkeypatch, caplog
):
    folder = serve_with_example(world, np.stack([features(HELD_OUT)] * 2))

    def refuse(*_):
        raise DataError("MLflow refused the request.")

    monkeypatch.setattr(examples, "write_example", refuse)
    world.submit("H", [HELD_OUT])
    world.run()
    assert all(one.any() for one in values(folder))
    assert "ALARM: the input example of income version 3 is or may be a row" in caplog.text
    (table,) = world.certificate("H-245")["tables"]
    assert table["examples_left"] == [{"model": "income", "version": 3}]


def test_a_clearing_that_was_not_recorded_is_found_and_not_made_again(world, monkeypatch):
    serve_with_example(world, np.stack([features(HELD_OUT)] * 2))
    world.submit("H", [HELD_OUT])
    (batch,) = open_batches.open_batches(world.services)
    write = examples.write_example

    def killed(*arguments):
        write(*arguments)
        if arguments[2] == examples.NAMES[1]:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(examples, "write_example", killed)
        with pytest.raises(KeyboardInterrupt):
            world.process(batch)
    assert HELD_OUT in world.there(world.holdout)
    monkeypatch.setattr(examples, "write_example", lambda *_: 1 / 0)
    world.process(batch)
    (facts,) = read_batch(world.services.journal, batch).stated.examples[world.holdout]
    assert [one.name for one in facts.replaced] == ["income version 3"]
    assert cleared.clear_examples(world.services, batch, world.holdout) is None


def test_the_example_of_a_version_that_is_deleted_meanwhile_counts_as_replaced_by_nobody(
    world, monkeypatch
):
    serve_with_example(world, np.stack([features(HELD_OUT)] * 2))
    world.set_alias(world.train().version)
    world.submit("H", [HELD_OUT])
    (batch,) = open_batches.open_batches(world.services)
    with monkeypatch.context() as patch:
        patch.setattr(examples, "write_example", interrupted)
        with pytest.raises(KeyboardInterrupt):
            world.process(batch)
    world.services.registry.client.delete_model_version("income", "3")
    world.process(batch)
    (facts,) = read_batch(world.services.journal, batch).stated.examples[world.holdout]
    assert facts.replaced == facts.left == ()


def test_an_example_of_a_row_that_another_model_learned_from_is_replaced_too(world):
    """Of a person in the training table, whose model was trained anew without that version."""
    folder = serve_with_example(world, np.stack([features(60), features(61)]))
    world.enroll_copy(world.enrolled(), "other")
    world.submit("T", [60])
    world.run()
    assert all(not one.any() for one in values(folder))
    (table,) = world.certificate("T-60")["tables"]
    assert {"model": "income", "version": 3} in table["examples_replaced"]


def test_models_that_call_the_same_columns_by_other_names_are_all_compared(world):
    enrolled = world.enrolled()
    for name in ("first", "second"):
        named = replace(enrolled.dataset, inputs=(InputColumns(name, ("features",)),))
        world.enroll_copy(replace(enrolled, dataset=named), name)
    found = cleared.clear_examples(world.services, resolved(world, 30), world.table)
    assert {one.model for one in found.replaced} <= {"income"}
    assert found.why_not == ""


def test_neutral_zeros_are_no_row_of_anybody(world):
    serve_with_example(world, np.zeros((2, 40), dtype=np.float32))
    one = rows(1, first=700)
    zeros = pa.array([[0] * 40], type=one.schema.field("features").type)
    write_deltalake(world.holdout, one.set_column(2, "features", zeros), mode="append")
    world.submit("Z", [700])
    world.run()
    (table,) = world.certificate("Z-700")["tables"]
    assert (table["examples_replaced"], table["examples_left"]) == ([], [])


def test_a_text_in_an_example_is_found_where_a_column_of_texts_is_the_feature(world):
    """The ids of the tests' subjects stand for texts of theirs."""
    batch = resolved(world, 30)
    spec = replace(world.enrolled().dataset, features=("subject_id",), tokenizer="tokenizers/a")
    world.enroll_copy(replace(world.enrolled(), dataset=spec), "mails")
    place = world.services.registry.client.get_model_version_download_uri("mails", "1")
    folder = Path(unquote(urlsplit(place).path))
    for name, example in zip(examples.NAMES, ([subject(30)], [subject(31)]), strict=True):
        (folder / name).write_text(json.dumps({"inputs": example}))
    facts = cleared.clear_examples(world.services, batch, world.table)
    assert {one.model for one in facts.replaced} >= {"mails"}
    assert [json.loads((folder / name).read_text()) for name in examples.NAMES] == [
        {"inputs": [""]}
    ] * 2
