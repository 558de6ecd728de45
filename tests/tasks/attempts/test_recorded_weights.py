"""Weights are what was made and judged, wherever they are read again, or nothing comes of them."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from safetensors.torch import save
from worked_on import resolved

from tasks import pipeline
from tasks.attempts import recorded_weights
from tasks.attempts.candidates import make_candidate
from tasks.attempts.failures import failure_of
from tasks.journal import journal
from tasks.registry import model_files
from unlearning.errors import ChangedWeightsError, UnsupportedModelError
from unlearning.model.weights import model_digest


def test_a_candidate_is_the_parent_with_other_weights(world):
    here = world()
    attempt = here.made()
    loaded = recorded_weights.load_candidate(here.services, attempt, here.module)
    assert not loaded.get_parameter("weight").equal(here.module.weight)
    assert model_digest(here.module.state_dict()) == attempt.parent_digest


def test_a_candidate_that_was_never_made_has_no_record(world):
    here = world()
    with pytest.raises(UnsupportedModelError, match="run the batch from its start"):
        recorded_weights.recorded(here.services, here.plan())


def parent_again(here, key):
    here.store.put(key, save(dict(here.module.state_dict())))


def cut_off(here, key):
    here.store.put(key, here.store.get(key)[:100])


def deleted(here, key):
    here.store.delete(key)


@pytest.mark.parametrize("change", [parent_again, cut_off, deleted])
def test_a_candidate_that_was_replaced_leads_to_the_next_rung(world, change):
    here = world()
    attempt = here.made()
    change(here, attempt.ids.candidate)
    with pytest.raises(ChangedWeightsError, match="not the candidate that was made"):
        recorded_weights.load_candidate(here.services, attempt, here.module)
    assert "find out who writes there" in failure_of(here.services, attempt, make_candidate)
    assert here.history().attempts[attempt.key].failures
    higher = attempt.by("retrain", rung="retrain", reason="The update led nowhere.")
    assert failure_of(here.services, higher, make_candidate) == ""


class Swapping(pipeline.Steps):
    """Steps during which somebody puts the weights of before in the place of new ones."""

    def __init__(self, world, moment):
        super().__init__(world.services)
        self.world, self.moment = world, moment

    def judge_candidate(self, attempt, failure):
        decision = super().judge_candidate(attempt, failure)
        if self.moment == "judged" and attempt.rung == "update":
            parent = model_files.load_model(self.services.registry, "income", 2).module
            self.services.store.put(attempt.ids.candidate, save(dict(parent.state_dict())))
        return decision

    def register_version(self, attempt):
        version = super().register_version(attempt)
        if self.moment == "registered":
            old, new = (files_of(self.services, one) for one in (2, version))
            new.write_bytes(old.read_bytes())
        return version


def files_of(services, version):
    place = services.registry.client.get_model_version_download_uri("income", str(version))
    folder = place.removeprefix("file://")
    (found,) = Path(folder).rglob("*.pt2")
    return found


@pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of their own type hints and formats
@pytest.mark.parametrize("moment", ["judged", "registered"])
def test_old_weights_in_the_place_of_judged_ones_are_never_served(whole_world, moment):
    batch = resolved(whole_world, 20)
    before = whole_world.champion()
    with pytest.raises(ChangedWeightsError, match="find out who writes"):
        pipeline.unlearn_model(Swapping(whole_world, moment), batch, "income")
    assert whole_world.champion() == before
    assert whole_world.requests()["X-20"].status not in ("erased", "unlearned")
    assert 20 in whole_world.there()
    outcome = pipeline.unlearn_model(pipeline.Steps(whole_world.services), batch, "income")
    assert outcome.status == "blocked", outcome


@pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of their own type hints and formats
def test_a_parent_that_was_replaced_has_people_called_with_the_reason(
    whole_world, monkeypatch, caplog
):
    batch = resolved(whole_world, 21)
    file = files_of(whole_world.services, 2)
    kept = file.read_bytes()
    steps = pipeline.Steps(whole_world.services)
    try:
        shutil.copy(files_of(whole_world.services, 1), file)
        outcome = pipeline.unlearn_model(steps, batch, "income")
        assert outcome.status == "blocked"
        assert "are not those that were enrolled" in outcome.reason
        later = journal.now() + timedelta(days=90)
        monkeypatch.setattr(journal, "now", lambda: later)
        assert pipeline.unlearn_model(steps, batch, "income").status == "blocked"
        assert whole_world.champion() == 2
        assert "ALARM: OVERDUE by 70 days: income version 2 still remembers 1 row" in caplog.text
        assert "are not those that were enrolled" in caplog.text.partition("ALARM")[2]
    finally:
        file.write_bytes(kept)
