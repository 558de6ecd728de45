"""What a model may be enrolled with, and at which version of its table."""

import shutil
from dataclasses import replace
from pathlib import Path

import factories
import pytest
from deltalake import DeltaTable, write_deltalake
from small_tables import MARK, rows

from tasks.enrolling.source import pinned, refuse_other_subjects
from tasks.journal.reading import record_enrollment, subject_columns
from tasks.registry.services import Services
from tasks.subjects.tied_tables import close_table
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


@pytest.fixture
def recorded(services, source_of):
    """A source of tables with two columns of ids, one of which a model is enrolled by."""
    both = [rows(9, first=n).append_column("boss", [["b"] * 9]) for n in (0, 9)]
    source = source_of(*both)

    def enrolled(model, **changes):
        spec = factories.dataset(uri=source.dataset.uri, subject="boss", **changes)
        known = factories.enrollment(model=model, dataset=spec, holdout=source.holdout)
        record_enrollment(services.journal, known)
        return replace(source, model="income")

    return enrolled


def close_all(services, source):
    for uri in (source.dataset.uri, source.holdout):
        close_table(services, uri, name="Ada", reason="others look after it")


@pytest.mark.parametrize("model", ["income", "other"])
def test_every_model_names_the_subjects_of_a_table_as_it_is_on_record(services, recorded, model):
    source = recorded(model, subject_kind="employee")
    before = DeltaTable(source.dataset.uri).version()
    named = replace(source, dataset=replace(source.dataset, subject_kind="person"))
    with pytest.raises(DataError, match=r"'boss'.* give --subject-column boss, or"):
        pinned(services, named)
    assert DeltaTable(source.dataset.uri).version() == before  # ids would stand in its log
    as_before = replace(source.dataset, subject="boss", subject_kind="employee")
    refuse_other_subjects(services, replace(source, dataset=as_before))
    moved = factories.enrollment(model=model, holdout="file:///elsewhere")
    record_enrollment(services.journal, moved)
    with pytest.raises(DataError, match="expunge close-table"):
        refuse_other_subjects(services, named)
    close_all(services, source)
    refuse_other_subjects(services, named)


def test_a_column_may_get_another_name_and_keeps_its_kind(services, recorded):
    source = recorded("income", subject_kind="employee")
    for uri in (source.dataset.uri, source.holdout):
        kept = DeltaTable(uri).to_pyarrow_table().drop_columns(["boss"])
        write_deltalake(uri, kept, mode="overwrite", schema_mode="overwrite")
    with pytest.raises(DataError, match=r"of the kind employee.* give --subject-kind employee"):
        refuse_other_subjects(services, source)
    spec = replace(source.dataset, subject_kind="employee")
    refuse_other_subjects(services, replace(source, dataset=spec))


def test_what_is_not_a_table_s_own_is_refused_until_it_is_tolerated(services, source_of, tmp_path):
    source = source_of(rows(9), rows(9, first=9))
    nested = (tmp_path / "train" / "eval").as_uri()
    write_deltalake(nested, rows(9, first=9))
    for refused in (source, replace(source, holdout=nested)):
        with pytest.raises(DataError, match="another Delta table among them, such as eval/"):
            pinned(services, refused)
    tolerant = replace(source, holdout=nested, tolerated=("eval/",))
    assert pinned(services, tolerant) == tolerant
    store = Services.open(services.settings, (tmp_path / "holdout" / "store").as_uri())
    store.store.put("requests/incoming/x.csv", b"x")
    shutil.rmtree(tmp_path / "train" / "eval")
    with pytest.raises(DataError, match="store/"):
        pinned(store, source)


def test_a_table_has_one_address_however_it_is_written(services, source_of):
    source = source_of(rows(9), rows(9, first=9))
    place = source.dataset.uri.removeprefix("file://")
    spelt = replace(source.dataset, uri=f"file://localhost/{place}//")
    assert pinned(services, replace(source, dataset=spelt, holdout=f"{source.holdout}/")) == source
    # As an earlier release recorded it.
    theirs = factories.dataset(uri=f"{source.dataset.uri}/", subject="label")
    record_enrollment(services.journal, factories.enrollment(model="other", dataset=theirs))
    with pytest.raises(DataError, match="give --subject-column label"):
        refuse_other_subjects(services, source)
    assert source.dataset.uri in subject_columns(services.journal)


def test_a_model_is_retrained_as_it_was_trained(source_of):
    source = source_of(rows(9), rows(9, first=9))
    config = TrainingConfig(epochs=3)
    again = source.retrained_as(config)
    assert again.unlearning.retraining == config
    assert replace(again, unlearning=source.unlearning) == source
