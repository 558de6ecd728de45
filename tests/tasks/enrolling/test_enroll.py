"""A version that is there and fits is enrolled, and MLflow says with which rows."""

import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest
from small_tables import rows

from tasks.enrolling import libraries
from tasks.enrolling.enroll import enroll_version
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import ErasedSubjectsLearned
from tasks.journal.reading import read_enrollment
from tasks.registry import model_files
from tasks.registry.mlflow_registry import LEFT_OUT_TAG, Registry
from tasks.registry.opaque.flavours import VersionForm
from tasks.subjects import reappearance, suppression_list
from tasks.subjects.reappearance import TableScan
from unlearning.errors import DataError
from unlearning.model.weights import model_digest
from unlearning.training.architectures import mlp


@pytest.fixture
def source(source_of):
    return source_of(rows(300), rows(300, first=300))


@pytest.fixture
def registered(monkeypatch):
    """A registry that holds one network as version 1, and the tags it was given."""
    found = SimpleNamespace(module=mlp(40, (4,), 2, seed=0), files={}, alias=1, tags={})
    monkeypatch.setattr(model_files, "load_model", lambda *_, **__: found)
    monkeypatch.setattr(libraries, "version_form", lambda *_: VersionForm("", ()))
    monkeypatch.setattr(Registry, "is_registered", lambda *_: True)
    monkeypatch.setattr(Registry, "alias_version", lambda *_: found.alias)
    monkeypatch.setattr(Registry, "version_tags", lambda *_: found.tags)
    monkeypatch.setattr(Registry, "tag_version", lambda _, __, ___, tags: found.tags.update(tags))
    return found


def test_a_model_that_nobody_serves_is_not_enrolled_without_a_version(services, source):
    services.registry.client.create_registered_model("income")
    with pytest.raises(DataError, match="income holds the alias 'champion'"):
        enroll_version(services, source, None, trust_pickle=False)


def test_a_misspelt_name_is_told_from_a_model_without_an_alias(services, source):
    with pytest.raises(DataError, match="MLflow has no registered model 'income'; check the name"):
        enroll_version(services, source, None, trust_pickle=False)


def test_a_model_that_is_gone_from_mlflow_holds_no_alias(services):
    assert services.registry.alias_version("gone") is None


def test_the_served_version_is_enrolled_and_tagged_with_its_rows(services, source, registered):
    found = enroll_version(services, source, None, trust_pickle=False)
    assert read_enrollment(services.journal, "income") == found
    assert (found.version, found.row_count, found.relearned) == (1, 300, "")
    assert found.digest == model_digest(registered.module.state_dict())
    assert registered.tags["expunge.digest"] == found.digest
    assert registered.tags["expunge.dataset_rows"] == "300"


def test_a_version_that_nobody_serves_yet_is_enrolled_with_a_warning(
    services, source, registered, caplog
):
    registered.alias = None
    with caplog.at_level(logging.WARNING):
        assert enroll_version(services, source, 4, trust_pickle=False).version == 4
    assert "until one does, requests with rows in its tables wait" in caplog.text


@pytest.fixture
def back(services, source, monkeypatch):
    """One erased subject with two rows is back in the table."""
    listed = suppression_list.load(services).digest

    def scan(*_):
        return TableScan(0, "files", listed, 300, {"pseudonym-1": 2})

    monkeypatch.setattr("tasks.enrolling.enroll.scan_table", scan)
    return listed


def test_erased_subjects_whom_the_weights_learned_raise_an_alarm_once(
    services, source, registered, back, caplog
):
    _, found = (enroll_version(services, source, 1, trust_pickle=False) for _ in range(2))
    assert found.relearned
    assert "ALARM: income version 1 was trained on rows of subjects" in caplog.text
    events = services.journal.read(model_stream("income"))
    assert sum(isinstance(e.facts, ErasedSubjectsLearned) for e in events) == 1
    assert found.row_count == reappearance.known_count(
        services, found, TableScan(0, "files", back, 300, {"pseudonym-1": 2})
    )


def test_weights_whose_training_left_them_out_learned_nobody_again(
    services, source, registered, back
):
    registered.tags[LEFT_OUT_TAG] = back
    assert enroll_version(services, source, 1, trust_pickle=False).relearned == ""


def test_the_same_weights_with_other_rules_learned_whom_they_learned(
    services, source, registered, back
):
    first = enroll_version(services, source, 1, trust_pickle=False)
    registered.tags[LEFT_OUT_TAG] = back
    again = enroll_version(services, replace(source, loss="cross_entropy"), 1, trust_pickle=False)
    assert again.relearned == first.relearned
