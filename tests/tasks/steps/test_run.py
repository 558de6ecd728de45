import pytest

from tasks import steps
from tasks.environment.settings import load_settings
from tasks.intake import batches
from tasks.registry.services import Services
from tasks.store.files import FileStore
from tasks.subjects import sent_ahead
from tasks.subjects.key_rotation import rotate
from unlearning.errors import DataError, SettingsError


def test_settings_are_checked_before_anything_else(home):
    steps.check_settings.fn()


def test_a_store_that_overwrites_stops_every_run_before_it_begins(home, monkeypatch):
    monkeypatch.setattr(FileStore, "put_if_absent", overwrite)
    with pytest.raises(SettingsError, match="If-None-Match"):
        steps.check_settings.fn()


def overwrite(store, key, data):
    store.put(key, data)
    return True


def test_a_run_without_models_says_what_to_do(home):
    with pytest.raises(DataError, match="expunge train"):
        steps.served_models.fn()


def test_one_run_works_at_a_time(home):
    assert not steps.has_lease.fn()
    assert steps.take_lease.fn()
    assert steps.has_lease.fn()
    steps.give_back_lease.fn()
    assert not steps.has_lease.fn()
    assert steps.take_lease.fn()
    assert steps.has_lease.fn()
    steps.give_back_lease.fn()


def test_a_process_that_is_older_than_a_rotation_works_no_more(home, monkeypatch):
    monkeypatch.setenv("EXPUNGE_PSEUDONYM_KEY", "11" * 32)
    assert steps.take_lease.fn()
    steps.give_back_lease.fn()
    assert steps.open_batches.fn() == []
    monkeypatch.setenv("EXPUNGE_NEXT_PSEUDONYM_KEY", "22" * 32)
    rotate(Services.open(load_settings()), name="Ada")
    monkeypatch.delenv("EXPUNGE_NEXT_PSEUDONYM_KEY")
    with pytest.raises(SettingsError, match="oldest first"):
        steps.take_lease.fn()
    assert not steps.has_lease.fn()


def test_nothing_new_makes_no_batch(home):
    assert steps.open_batches.fn() == []
    assert steps.waiting_batches.fn() == []
    assert steps.outdated_batches.fn() == []


def test_a_model_without_its_alias_is_told_and_stops_no_run(world, caplog):
    assert steps.served_models.fn() == ["income"]
    assert steps.enforce_alias_floors.fn() == []
    assert caplog.text == ""
    world.services.registry.drop_alias("income")
    assert steps.served_models.fn() == ["income"]
    assert steps.enforce_alias_floors.fn() == []
    assert "No version of income holds the alias" in caplog.text
    assert "requests with rows in its tables wait" in caplog.text


def test_who_was_sent_ahead_is_worked_off_in_the_same_run(world):
    world.submit("S", [30, 31])
    (batch,) = steps.open_batches.fn()
    batches.validate(world.services, batch)
    assert steps.sent_ahead.fn([batch]) == []
    one = next(r for r, e in world.services.journal.requests() if e.facts.request_id == "S-30")
    to = sent_ahead.send(world.services, batch, [one])
    assert steps.sent_ahead.fn([batch]) == [to]
    assert steps.sent_ahead.fn([batch, to]) == []


def test_request_files_of_closed_batches_are_reduced_once(world):
    assert steps.reduce_requests.fn() == 0
    world.submit("S", [30])
    (batch,) = steps.open_batches.fn()
    world.process(batch)
    assert steps.reduce_requests.fn() == 0
