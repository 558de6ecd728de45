"""What a model may be enrolled with, and at which version of its table."""

from dataclasses import replace
from pathlib import Path

import factories
import pytest
from deltalake import DeltaTable, write_deltalake
from small_tables import MARK, rows

from tasks.enrolling.source import pinned, refuse_other_subjects
from tasks.journal.reading import record_enrollment
from unlearning.config.training_config import TrainingConfig
from unlearning.errors import DataError, SettingsError


def test_the_training_table_is_no_holdout(services, source_of):
    source = source_of(rows(9), rows(9, first=9))
    with pytest.raises(SettingsError, match="is the training table"):
        pinned(services, replace(source, holdout=f"{source.dataset.uri}/"))
    assert pinned(services, source) == source


def test_a_source_without_a_version_is_pinned_to_the_newest(services, source_of):
    source = replace(source_of(rows(9), rows(9, first=9)), dataset_version=None)
    assert pinned(services, source).dataset_version == DeltaTable(source.dataset.uri).version()
    write_deltalake(source.dataset.uri, rows(5, first=20), mode="append")
    assert pinned(services, source).dataset_version == DeltaTable(source.dataset.uri).version()


def test_the_tables_logs_are_kept_free_of_ids(services, source_of):
    source = pinned(services, source_of(rows(9), rows(9, first=9)))
    for uri in (source.dataset.uri, source.holdout):
        write_deltalake(uri, rows(9, first=30), mode="append")
        latest = DeltaTable(uri).version()
        commit = Path(uri.removeprefix("file://")) / "_delta_log" / f"{latest:020d}.json"
        assert '"add"' in commit.read_text()
        assert MARK not in commit.read_text()


def test_a_column_that_one_of_the_tables_lacks_is_refused(services, source_of):
    source = source_of(rows(9), rows(9).drop_columns(["label"]))
    with pytest.raises(DataError, match="no column 'label'"):
        pinned(services, source)


def test_two_models_name_the_subjects_of_a_table_alike(services, source_of):
    source = source_of(rows(9), rows(9, first=9))
    theirs = factories.dataset(uri=source.dataset.uri, subject="person")
    record_enrollment(services.journal, factories.enrollment(model="other", dataset=theirs))
    with pytest.raises(DataError, match="give the same --subject"):
        refuse_other_subjects(services, source)
    elsewhere = replace(theirs, uri="file:///elsewhere")
    record_enrollment(services.journal, factories.enrollment(model="other", dataset=elsewhere))
    refuse_other_subjects(services, source)


def test_a_model_is_retrained_as_it_was_trained(source_of):
    source = source_of(rows(9), rows(9, first=9))
    config = TrainingConfig(epochs=3)
    again = source.retrained_as(config)
    assert again.unlearning.retraining == config
    assert replace(again, unlearning=source.unlearning) == source
