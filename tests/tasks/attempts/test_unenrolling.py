"""A model taken out by a person is asked no more, and forgets nobody by that."""

import shutil

import pytest
from erased_world import world as erased
from two_tables import FIRST, enroll_photos, work_off

from tasks.attempts.unenrolling import unenroll
from tasks.certificates.alarms import alarms
from tasks.enrolling import enroll
from tasks.journal.events.attempts import VersionRegistered
from tasks.journal.events.models import ModelUnenrolled
from tasks.store import lease
from tasks.subjects.tied_tables import close_table, why_unsearched
from tasks.versions.alias_floor import breaches, enforce, taken_out_in_service
from unlearning.errors import ConflictError, DataError, SettingsError

__all__ = ["erased"]

ADA = {"name": "Ada", "reason": "It serves nobody since May."}


@pytest.mark.parametrize("said", [{"name": " "}, {"reason": ""}])
def test_a_model_is_taken_out_by_somebody_for_a_reason(world, said):
    with pytest.raises(SettingsError, match="--by NAME and --reason TEXT"):
        unenroll(world().services, "income", **(ADA | said))


def test_a_model_that_was_never_enrolled_cannot_be_taken_out(world):
    with pytest.raises(DataError, match="'photos' is not enrolled"):
        unenroll(world().services, "photos", **ADA)


def test_a_model_is_taken_out_once_and_not_while_a_run_is_at_work(world):
    services = world().services
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "take", lambda _: "a run on another machine")
        with pytest.raises(ConflictError, match="a run on another machine"):
            unenroll(services, "income", **ADA)
    assert unenroll(services, "income", **ADA) == 1
    with pytest.raises(ConflictError, match="was taken out by Ada on 20"):
        unenroll(services, "income", **ADA)
    assert not lease.is_held(services.store)


def test_an_attempt_that_is_half_done_is_ended_first(world):
    here = world()
    attempt = here.plan()
    registered = VersionRegistered(model="income", attempt=attempt.key, version=2)
    here.append(attempt.ids.registered, registered)
    here.happen()
    with pytest.raises(ConflictError, match="half done in batch b-1; end it with `expunge run`"):
        unenroll(here.services, "income", **ADA)
    here.champion = None  # nobody can end it any more
    assert unenroll(here.services, "income", **ADA) is None
    assert here.plan() is None


def test_who_is_erased_after_that_is_told_that_the_model_was_not_asked(erased):
    version = erased.champion()
    assert unenroll(erased.services, "income", **ADA) == version
    assert alarms(erased.services) == taken_out_in_service(erased.services) == []
    erased.submit("S", [20])
    assert work_off(erased, ()) == []
    told = erased.certificate("S-20")
    (model,) = told["models"]
    assert (told["outcome"], model["outcome"]) == ("erased", "not asked")
    assert (model["taken_out_by"], model["parent_version"]) == ("Ada", version)
    assert ": It serves nobody since May; it may still be served" in model["reason"]
    assert any("had been taken out by the person" in one for one in told["not_proven"])
    assert 20 not in erased.there()


def test_what_serves_and_remembers_is_an_alarm_and_keeps_its_alias(erased):
    version = erased.champion()
    unenroll(erased.services, "income", **ADA)
    erased.submit("S", [20])
    work_off(erased, ())
    (alarm,) = taken_out_in_service(erased.services)
    assert f"its version {version} serves and remembers subjects who were erased since" in alarm
    assert list(breaches(erased.services)) == enforce(erased.services) == []
    assert erased.champion() == version
    with pytest.raises(ConflictError, match="remembers subjects who were erased since"):
        enroll.enroll_version(erased.services, erased.source(), version, trust_pickle=False)
    erased.services.registry.drop_alias("income")
    assert taken_out_in_service(erased.services) == []


def test_a_model_that_was_taken_out_can_be_enrolled_again(erased):
    version = erased.champion()
    erased.submit("S", [20])
    unenroll(erased.services, "income", **ADA)
    enroll.enroll_version(erased.services, erased.source(), version, trust_pickle=False)
    assert len(erased.events(ModelUnenrolled)) == 1
    assert work_off(erased, ("income",)) == []
    (model,) = erased.certificate("S-20")["models"]
    assert model["version"] == version + 1


def test_the_table_of_a_model_that_was_taken_out_may_go_and_be_closed(erased):
    photos = enroll_photos(erased)
    unenroll(erased.services, "photos", **ADA)
    shutil.move(photos.removeprefix("file://"), f"{erased.folder}/away")
    erased.submit("S", [20])
    assert work_off(erased, ("income",)) == []
    told = erased.certificate("S-20")
    assert told["tables_not_searched"] == [photos]
    (why,) = why_unsearched(erased.services)
    assert photos in why
    close_table(erased.services, photos, **ADA)
    assert why_unsearched(erased.services) == []


def test_people_of_a_table_whose_only_model_was_taken_out_are_still_erased(erased):
    photos = enroll_photos(erased)
    unenroll(erased.services, "photos", **ADA)
    erased.submit("P", [FIRST])
    assert work_off(erased, ("income",)) == []
    assert FIRST not in erased.there(photos)
    assert erased.certificate(f"P-{FIRST}")["models"][0]["outcome"] == "not asked"
