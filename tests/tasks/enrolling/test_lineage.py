"""A model is enrolled with rows that it can have learned from, by the time of both."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake
from logged_models import log_model
from small_tables import rows

from tasks.enrolling import lineage as lineages
from tasks.enrolling.enroll import enroll_version
from tasks.enrolling.lineage import lineage
from tasks.registry.origins import LoggedTable, Origin
from unlearning.errors import ConflictError, DataError
from unlearning.training.architectures import mlp

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def source(source_of):
    return replace(source_of(rows(30), rows(30, first=300)), dataset_version=None)


def at(uri, version, hours):
    """Let a version of the table have been written so many hours from noon."""
    file = Path(uri.removeprefix("file://")) / "_delta_log" / f"{version:020d}.json"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        if "commitInfo" in line:
            line["commitInfo"]["timestamp"] = int((NOON + timedelta(hours=hours)).timestamp() * 1e3)
    file.write_text("\n".join(map(json.dumps, lines)))


def append(uri, hours):
    write_deltalake(uri, rows(5, first=100 + DeltaTable(uri).version()), mode="append")
    at(uri, DeltaTable(uri).version(), hours)


@pytest.fixture
def made(monkeypatch):
    """Lets the version have been made at noon, or otherwise."""

    def build(**facts):
        known = Origin(began_at=NOON, made_at=NOON, is_ours=False, tables=())
        monkeypatch.setattr(lineages, "origin_of", lambda *_: replace(known, **facts))

    return build


def grown(source, *hours):
    at(source.dataset.uri, 0, hours[0])
    for one in hours[1:]:
        append(source.dataset.uri, one)
    return source


def test_the_newest_version_that_is_not_younger_than_the_model_is_taken_and_said(
    services, source, made
):
    made()
    found = lineage(services, grown(source, -5, -1, 1, 2), 1)
    assert found.version == 1
    assert "made on 2026-05-01 12:00:00 UTC" in found.said
    assert "changed on 2026-05-01 13:00:00 UTC" in found.said
    assert "--table-version" in found.said


def test_a_table_that_did_not_change_since_is_taken_as_it_is(services, source, made):
    made()
    grown(source, -5, -1)
    table = DeltaTable(source.dataset.uri)
    table.alter.set_table_properties({"delta.dataSkippingNumIndexedCols": "0"})
    at(source.dataset.uri, 2, 1)
    assert lineage(services, source, 1) == lineages.Lineage(None)
    DeltaTable(source.dataset.uri).optimize.compact()
    at(source.dataset.uri, 3, 2)
    assert lineage(services, source, 1) == lineages.Lineage(None)


def test_a_table_adopted_after_the_training_counts_as_it_was_first(services, source, made):
    made()
    adopted = lineage(services, grown(source, 2), 1)
    assert adopted.version is None
    assert "begins on 2026-05-01 14:00:00 UTC, after version 1 of income was made" in adopted.said
    append(source.dataset.uri, 3)
    found = lineage(services, source, 1)
    assert found.version == 0
    assert "begins on 2026-05-01 14:00:00 UTC" in found.said


@pytest.mark.parametrize(("hours", "base"), [((-5, -1, 1), 1), ((2, 3), 0)])
def test_a_named_version_that_came_after_the_model_is_refused_with_both_times(
    services, source, made, hours, base
):
    made()
    grown(source, *hours)
    for fits in range(base + 1):
        wanted = replace(source, dataset_version=fits)
        assert lineage(services, wanted, 1) == lineages.Lineage(fits)
    with pytest.raises(DataError) as caught:
        lineage(services, replace(source, dataset_version=base + 1), 1)
    said = str(caught.value)
    assert f"holds rows of 2026-05-01 {12 + hours[base + 1]}:00:00 UTC" in said
    assert "was made on 2026-05-01 12:00:00 UTC" in said
    assert caught.value.line == f"--table-version {base}"


def test_clocks_may_differ_by_seconds(services, source, made):
    made(made_at=NOON - timedelta(seconds=30), began_at=NOON - timedelta(hours=1))
    grown(source, -5, 0)
    named = replace(source, dataset_version=1)
    assert lineage(services, named, 1) == lineages.Lineage(1)


def test_a_change_while_the_run_was_under_way_asks_for_the_version(services, source, made):
    made(began_at=NOON - timedelta(hours=2))
    grown(source, -5, -1)
    with pytest.raises(DataError, match="while the run of version 1 of income was under way"):
        lineage(services, source, 1)
    assert lineage(services, replace(source, dataset_version=0), 1) == lineages.Lineage(0)


def test_a_run_that_wrote_its_table_itself_learned_from_it(services, source, made):
    made(began_at=NOON - timedelta(hours=9))
    assert lineage(services, grown(source, -5), 1) == lineages.Lineage(None)


def test_what_the_run_logged_names_the_version(services, source, made):
    made(tables=(LoggedTable(source.dataset.uri.removeprefix("file://"), 1),))
    found = lineage(services, grown(source, -5, -3, -1), 1)
    assert found.version == 1
    assert "as its run logged" in found.said
    made(tables=(LoggedTable("/elsewhere", 1),))
    assert lineage(services, source, 1) == lineages.Lineage(None)


def test_rows_that_are_gone_give_way_to_the_next_that_are_left(services, source, made):
    made()
    grown(source, -5)
    DeltaTable(source.dataset.uri).delete("label = 1")
    at(source.dataset.uri, 1, 1)
    table = DeltaTable(source.dataset.uri)
    table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    for version in range(2, DeltaTable(source.dataset.uri).version() + 1):
        at(source.dataset.uri, version, 2)
    found = lineage(services, source, 1)
    assert found.version == 1
    assert "whose rows are gone" in found.said
    assert lineage(services, replace(source, dataset_version=1), 1).version == 1


def test_versions_that_expunge_made_or_knows_are_not_asked(services, source, made):
    made(is_ours=True)
    assert lineage(services, grown(source, -5, 1), 1) == lineages.Lineage(None)


def test_a_model_made_before_an_erasure_of_its_table_is_refused(world, made):
    made(made_at=datetime(2020, 1, 1, tzinfo=UTC), began_at=datetime(2020, 1, 1, tzinfo=UTC))
    source = replace(world.source(), model="other")
    with pytest.raises(ConflictError, match="made on 2020-01-01 00:00:00 UTC, and rows of"):
        lineage(world.services, source, 1)
    made(made_at=datetime(2100, 1, 1, tzinfo=UTC), began_at=datetime(2100, 1, 1, tzinfo=UTC))
    assert lineage(world.services, source, 1) == lineages.Lineage(None)
    made(made_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert lineage(world.services, world.source(), 1) == lineages.Lineage(None)  # on record


@pytest.mark.filterwarnings("ignore")
def test_an_enrolment_by_default_is_of_the_rows_that_were_there(services, source, caplog):
    uri = source.dataset.uri
    log_model(services, mlp(40, (4,), 2, seed=0), form="pt2")
    write_deltalake(uri, rows(5, first=100), mode="append")
    last = DeltaTable(uri).version()
    later = datetime.now(UTC) + timedelta(hours=1)
    at(uri, last, (later - NOON).total_seconds() / 3600)
    with pytest.raises(DataError, match="cannot have learned from them"):
        enroll_version(services, replace(source, dataset_version=last), 1, trust_pickle=False)
    found = enroll_version(services, source, 1, trust_pickle=False)
    assert (found.dataset_version, found.row_count) == (0, 30)
    assert "counts as trained on version 0" in caplog.text
