"""An enrolment may put its version into service, and that is on record."""

import pytest
from logged_models import log_model

from tasks.enrolling.enroll import enroll_version
from tasks.enrolling.serving import give_alias, version_to_enroll
from tasks.journal.events.versions import AliasGiven
from tasks.store import lease
from unlearning.errors import ConflictError, DataError
from unlearning.training.architectures import mlp


def given(world):
    return [event.facts for event in world.events(AliasGiven)]


@pytest.fixture
def unserved(world):
    world.services.registry.drop_alias("income")
    return world


def test_a_version_that_nobody_serves_is_put_into_service_once_and_recorded(unserved):
    for _ in range(2):
        give_alias(unserved.services, "income", 2)
        assert unserved.champion() == 2
    assert given(unserved) == [AliasGiven(version=2, before=None)]


def test_the_version_before_is_recorded_and_each_move_counts(world):
    for version in (1, 2, 1):
        give_alias(world.services, "income", version)
    assert world.champion() == 1
    assert [(one.version, one.before) for one in given(world)] == [(1, 2), (2, 1), (1, 2)]


def test_nothing_is_moved_while_a_run_is_at_work(unserved):
    holder = b'{"host": "h", "pid": 1, "machine": "", "started": "", "token": ""}'
    unserved.store.put("lease/000999.json", holder)
    with pytest.raises(ConflictError, match="at work"):
        lease.check(unserved.store)
    source = unserved.source()
    with pytest.raises(ConflictError, match="at work"):
        enroll_version(unserved.services, source, 2, trust_pickle=False, promote=True)
    assert unserved.champion() is None
    assert not given(unserved)


def test_an_enrolment_promotes_what_it_names_and_without_a_name_only_where_nobody_serves(unserved):
    services, source = unserved.services, unserved.source()
    with pytest.raises(DataError, match="--promote") as refused:
        version_to_enroll(services, "income", None)
    assert refused.value.line == "--promote"
    assert version_to_enroll(services, "income", None, newest=True) == 2
    found = enroll_version(services, source, None, trust_pickle=False, promote=True)
    assert (found.version, unserved.champion()) == (2, 2)
    assert version_to_enroll(services, "income", None, newest=True) == 2


@pytest.mark.filterwarnings("ignore")
def test_what_is_refused_is_not_put_into_service(world):
    version = log_model(world.services, mlp(40, (4,), 5, seed=0), form="pickle", alias=False)
    with pytest.raises(Exception, match="is pickled"):
        enroll_version(world.services, world.source(), version, trust_pickle=False, promote=True)
    assert world.champion() == 2
