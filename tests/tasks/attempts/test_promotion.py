"""A candidate becomes a version once, and takes the alias once, if nobody else moved it."""

from types import SimpleNamespace

import pytest
from factories import evaluated, frozen, validated

from tasks.attempts import promotion
from tasks.attempts.recorded_weights import load_candidate
from tasks.journal.events.attempts import VersionRegistered
from tasks.registry import logged_files, model_files
from tasks.registry.mlflow_registry import AUDIT_EXPERIMENT, EFFECT_TAG, Registry
from tasks.subjects import late_holds
from unlearning.errors import ChangedWeightsError, ConflictError, UnsupportedModelError

FILES = {"MLmodel": "e" * 64, "data/model.pt2": "f" * 64}


@pytest.fixture
def ready(world, monkeypatch):
    """A candidate with evidence; its files are written by nobody."""
    here = world()
    attempt = here.made()
    here.happen(frozen=frozen(), validated=validated())
    here.append(attempt.ids.evaluated, evaluated(attempt))
    candidate = load_candidate(here.services, attempt, here.module)
    monkeypatch.setattr(
        model_files,
        "load_model",
        lambda *a, **_: here if a[2] == 1 else SimpleNamespace(module=candidate, files=FILES),
    )
    monkeypatch.setattr(logged_files, "log_successor", lambda *_: "models:/m-1")
    monkeypatch.setattr(Registry, "logged_model_id", lambda *_: None)
    return here, attempt


@pytest.fixture
def versions(monkeypatch):
    """A registry of versions by the tags that they were made with."""
    made = []
    monkeypatch.setattr(
        Registry, "create_version", lambda _, model, source, run, tags: made.append(tags)
    )

    def find(_, model, effect):
        return next((n for n, tags in enumerate(made, 2) if tags[EFFECT_TAG] == effect), None)

    monkeypatch.setattr(Registry, "find_version", find)
    return made


def test_a_candidate_is_registered_once_with_what_it_descends_from(ready, versions):
    here, attempt = ready
    assert promotion.register(here.services, attempt) == 2
    assert promotion.register(here.services, attempt) == 2
    (tags,) = versions
    assert tags[EFFECT_TAG] == attempt.ids.registered
    assert tags["expunge.digest"] == here.history().attempts[attempt.key].made.digest
    assert (tags["expunge.batch"], tags["expunge.parent_version"]) == ("b-1", "1")
    assert (tags["expunge.updates_since_training"], tags["expunge.gate"]) == ("1", "passed")
    registry = here.services.registry
    run = registry.client.get_run(registry.find_run(AUDIT_EXPERIMENT, attempt.key))
    assert run.data.metrics["holdout_accuracy_after"] == 0.81
    assert run.data.params["method"] == "theory_step"


def test_what_was_registered_before_a_kill_is_found(ready, versions, monkeypatch):
    here, attempt = ready
    promotion.register(here.services, attempt)
    versions.append({EFFECT_TAG: "another"})
    registered = here.history().attempts[attempt.key].registered
    assert registered == VersionRegistered(model="income", attempt=attempt.key, version=2)
    assert len(versions) == 2


def test_nothing_is_promoted_that_was_never_made(world):
    here = world()
    with pytest.raises(UnsupportedModelError, match="run the batch from its start"):
        promotion.promote(here.services, here.plan(), 2)


@pytest.fixture
def moving(ready, monkeypatch):
    """A registry whose alias moves."""
    here, attempt = ready

    def move(_, model, *, parent, version):
        if here.champion != parent:
            raise ConflictError("The alias was moved meanwhile.")
        here.champion = version

    monkeypatch.setattr(Registry, "move_alias", move)
    monkeypatch.setattr(late_holds, "refuse_held", lambda *_: None)
    return here, attempt


def test_a_promotion_is_told_to_batch_and_model_once(moving):
    here, attempt = moving
    for _ in range(2):
        promotion.promote(here.services, attempt, 2)
    assert here.champion == 2
    history = here.history().attempts[attempt.key]
    assert (history.promoted.version, history.promoted.digest) == (2, history.made.digest)
    (promoted,) = here.model().promoted.values()
    assert (promoted.facts.batch, promoted.facts.parent_version) == ("b-1", 1)
    enrolled = here.enrolled()
    assert (enrolled.version, enrolled.digest) == (2, history.made.digest)
    assert history.promoted.files == enrolled.files == here.model().weights.files[2] == FILES
    assert (enrolled.deletions.forgotten, enrolled.deletions.updates) == (10, 1)


def test_a_version_that_holds_other_weights_than_were_judged_is_not_promoted(moving, monkeypatch):
    here, attempt = moving
    monkeypatch.setattr(model_files, "load_model", lambda *_, **__: here)
    with pytest.raises(ChangedWeightsError, match="other weights than the candidate"):
        promotion.promote(here.services, attempt, 2)
    assert here.champion == 1
    assert here.model().promoted == {}


def test_an_alias_that_somebody_moved_is_left_there(moving):
    here, attempt = moving
    here.champion = 5
    with pytest.raises(ConflictError, match="moved meanwhile"):
        promotion.promote(here.services, attempt, 2)
    assert here.champion == 5
    assert here.model().promoted == {}


def test_a_hold_that_came_meanwhile_keeps_the_parent_in_service(moving, monkeypatch):
    def refuse(*_):
        raise ConflictError("A legal hold was placed.")

    here, attempt = moving
    monkeypatch.setattr(late_holds, "refuse_held", refuse)
    with pytest.raises(ConflictError, match="legal hold"):
        promotion.promote(here.services, attempt, 2)
    assert here.champion == 1
