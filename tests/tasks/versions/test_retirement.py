"""Old versions are out of use at once, whatever is interrupted, and people are called."""

import logging
from datetime import date

import pytest
from hand_made_versions import MODEL
from small_tables import MARK

from tasks.journal.events.versions import VersionRetired
from tasks.registry import mlflow_registry, model_files, model_versions
from tasks.versions import purging, retirement
from tasks.versions.old_versions import retirement_counts
from unlearning.errors import ConflictError, ModelError, TransientError, UnsupportedModelError

ADA = f"{MARK}-1"


def test_the_parent_is_out_of_use_at_once(made, caplog):
    made.client.set_registered_model_alias(MODEL, "challenger", "1")
    with caplog.at_level(logging.WARNING):
        made.promote("b-1", [ADA])
    assert "version 1 lost the aliases challenger" in caplog.text
    assert made.client.get_registered_model(MODEL).aliases == {"champion": 2}
    with pytest.raises(ModelError, match="version 1 is retired"):
        model_files.load_model(made.services.registry, MODEL, 1)
    # These weights have no flavor, so that loading them ends otherwise than at the guard.
    for version, is_parent in ((1, True), (2, False)):
        with pytest.raises(UnsupportedModelError, match="not logged by mlflow"):
            model_files.load_model(made.services.registry, MODEL, version, is_parent=is_parent)
    (facts,) = made.events(VersionRetired)
    assert (facts.version, facts.batch, facts.aliases) == (1, "b-1", ("challenger",))
    assert (facts.retired_on, facts.purge_on) == (date(2026, 1, 10), date(2026, 2, 1))
    assert len(made.files()) == 2
    assert retirement_counts(made.services, MODEL) == {"retired": 1, "purged": 0}


def test_a_retired_version_that_is_used_again_is_put_out_of_use_again(promoted, caplog):
    promoted.client.set_registered_model_alias(MODEL, "shadow", "1")
    promoted.client.delete_model_version_tag(MODEL, "1", mlflow_registry.RETIRED_TAG)
    retirement.retire(promoted.services, MODEL)
    assert "in use again" in caplog.text
    found = model_versions.registered_versions(promoted.services.registry, MODEL)[1]
    assert model_versions.is_quarantined(found)


def test_a_retirement_that_was_cut_off_is_finished(made, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            model_versions, "quarantine", lambda *_: (_ for _ in ()).throw(TransientError)
        )
        with pytest.raises(TransientError):
            made.promote("b-1", [ADA])
    assert made.verbs() == {1: "retire"}
    retirement.retire(made.services, MODEL)
    assert made.verbs() == {1: "wait"}


def test_the_champion_is_never_touched_and_people_are_called_if_it_remembers(promoted, caplog):
    promoted.today(2026, 6, 1)
    promoted.services.registry.set_alias(MODEL, 1)
    assert promoted.verbs() == {1: "alarm"}
    (alarm,) = retirement.retire(promoted.services, MODEL)
    assert "income version 1 must not go on: it is served" in alarm
    assert "ALARM" in caplog.text
    assert promoted.purge() == []
    with pytest.raises(ConflictError, match="must stay"):
        purging.purge(promoted.services, MODEL, 1)
    assert promoted.client.get_registered_model(MODEL).aliases == {"champion": 1}
    assert len(promoted.files()) == 2


def test_a_version_that_got_the_alias_back_before_it_was_retired_is_left_alone(made, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(retirement, "retire", lambda *_: [])
        made.promote("b-1", [ADA])
    made.services.registry.set_alias(MODEL, 1)
    assert retirement.retire(made.services, MODEL) != []
    assert made.events(VersionRetired) == []
    found = model_versions.registered_versions(made.services.registry, MODEL)[1]
    assert (found.aliases, found.tags) == (("champion",), {})


def test_a_version_that_was_deleted_before_it_was_retired_raises_an_alarm(made, caplog):
    made.client.delete_model_version(MODEL, "1")
    made.promote("b-1", [ADA])
    assert "version 1 was deleted in MLflow before it was retired" in caplog.text


def test_a_hold_that_keeps_a_version_beyond_its_day_is_an_alarm_that_names_the_day(promoted):
    promoted.hold(ADA)
    promoted.today(2026, 1, 31)
    assert retirement.alarms(promoted.services, MODEL) == []
    promoted.today(2026, 2, 1)
    (alarm,) = retirement.retire(promoted.services, MODEL)
    assert "income version 1 remembers erased people and was to be purged on 2026-02-01" in alarm
    assert "a legal hold names a subject of b-1" in alarm
    assert retirement.alarms(promoted.services, MODEL) == [alarm]
    assert ADA not in alarm


def test_a_purge_that_nobody_made_on_its_day_is_an_alarm_the_day_after(promoted):
    promoted.today(2026, 2, 1)
    assert retirement.alarms(promoted.services, MODEL) == []
    assert retirement.has_work(promoted.services, MODEL)
    promoted.today(2026, 2, 2)
    (alarm,) = retirement.alarms(promoted.services, MODEL)
    assert "was to be purged on 2026-02-01; run `expunge retire`" in alarm
    # The run that purges it says nothing of it.
    assert retirement.retire(promoted.services, MODEL) == []
    assert promoted.purge() == [1]
    assert not retirement.has_work(promoted.services, MODEL)
