"""A run that died before its batch was on record leaves no copy of a request file for ever."""

import pytest
from sent_requests import answer, close, frozen, submit, validated

from tasks.intake import freezing, inbox, never_begun, reduction
from tasks.intake.freezing import MANIFESTS
from tasks.intake.inbox import INCOMING
from tasks.intake.kept_rows import FILES
from tasks.subjects import open_batches


class KilledError(Exception):
    """The process died."""


def kept(services):
    found = [*services.store.list_objects(FILES), *services.store.list_objects(MANIFESTS)]
    return [info.key for info in found]


@pytest.fixture(params=["after the copy", "after the manifest"])
def died(request, any_services, monkeypatch):
    """A run that died while it fixed a batch; its file was changed by its sender since."""
    services = any_services
    submit(services, "person-1", 1, 2)
    with monkeypatch.context() as patch:
        if request.param == "after the copy":
            patch.setattr(freezing, "freeze", lambda *_: _die())
        else:
            patch.setattr(freezing.lease, "check", lambda *_: _die())
        with pytest.raises(KilledError):
            inbox.freeze(services, inbox.new_files(services), {})
    assert kept(services)
    (sent,) = services.store.list_objects(INCOMING)
    services.store.delete(sent.key)
    submit(services, "person-1", 1, 2, 3)
    return services


def _die():
    raise KilledError


def test_what_a_dead_run_kept_is_dropped_and_the_file_is_read_as_it_is_now(died):
    assert reduction.has_work(died)
    batch = validated(died)
    answer(died, batch)
    close(died, batch)
    reduction.reduce_closed(died)
    assert kept(died) == []
    assert not reduction.has_work(died)


def test_what_a_batch_on_record_still_needs_stays(any_services):
    submit(any_services, "person-1", 1, 2)
    frozen(any_services)
    assert len(kept(any_services)) == 2
    assert never_begun.drop(any_services) == 0
    assert not reduction.has_work(any_services)


def test_a_frozen_batch_that_claimed_nothing_yet_keeps_its_files(any_services, monkeypatch):
    submit(any_services, "person-1", 1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "claim", lambda *_: _die())
        with pytest.raises(KilledError):
            inbox.freeze(any_services, inbox.new_files(any_services), {})
    assert never_begun.drop(any_services) == 0
    assert open_batches.open_batches(any_services)
