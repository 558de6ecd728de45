"""What certificates say of models: those that forgot, that forgot earlier, and that are out."""

from dataclasses import replace

import pytest
import sample_evidence as sample
from factories import retired
from hand_made_batch import TABLE, HandMadeBatch

from tasks.certificates.certified_models import (
    certified_models,
    models_for,
)
from tasks.journal.events import ids
from tasks.journal.events.batches import ForgottenEarlier
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import ModelWithdrawn
from unlearning.errors import DataError


@pytest.fixture
def promoted(batch):
    batch.enroll()
    batch.plan()
    batch.judge()
    batch.promote()
    return batch


def the_only(batch):
    (model,) = certified_models(batch.services, batch.name)
    return model.stated


def tell(batch, model, event_id, facts):
    batch.services.journal.append(model_stream(model), event_id, facts)


def test_a_promoted_model_is_described_from_parent_to_decision(promoted):
    facts = the_only(promoted)
    assert (facts["model"], facts["parent_version"], facts["version"]) == ("income", 1, 2)
    assert (facts["outcome"], facts["method"], facts["is_exact"]) == (
        "forgotten",
        "calibrated",
        False,
    )
    assert facts["after"]["forget_accuracy"] == sample.FORGOTTEN.after.forget_accuracy
    assert "no_control" not in facts
    assert "not_shown" not in facts


def test_nothing_of_single_rows_is_told_to_every_requester(batch):
    batch.enroll()
    batch.plan(forget_count=3)
    batch.judge(sample.few(3))
    batch.promote()
    forgetting = the_only(batch)["forgetting"]
    assert not {"row_percentiles", "own", "pooled"} & set(forgetting)
    assert forgetting["count"] == 3


def test_what_a_failure_would_mean_stands_only_at_checks_that_failed(batch):
    batch.enroll()
    batch.plan()
    batch.judge(sample.attacked(0.7))
    batch.promote()
    checks = the_only(batch)["checks"]
    assert {c["name"] for c in checks if "meaning" in c} == {
        c["name"] for c in checks if not c["passed"]
    }


def test_a_control_that_was_not_possible_is_said(batch):
    batch.enroll()
    batch.plan()
    probes = replace(sample.FORGOTTEN.probes, canaries=None, no_canaries="Too few rows.")
    batch.judge(replace(sample.FORGOTTEN, probes=probes))
    batch.promote()
    assert the_only(batch)["no_control"] == "No control was possible. Too few rows."


def test_earlier_versions_are_stated_as_of_the_first_certificate(promoted):
    (first,) = the_only(promoted)["earlier_versions"]
    assert (first["version"], first["exists_until"]) == (1, "retired")
    tell(promoted, "income", ids.retired(1), retired(1))
    assert the_only(promoted)["earlier_versions"] == [first]


def test_an_earlier_version_that_is_retired_by_then_has_a_day(promoted):
    tell(promoted, "income", ids.retired(1), retired(1))
    (first,) = the_only(promoted)["earlier_versions"]
    assert first["exists_until"] == "2026-02-09"


def test_a_promotion_whose_evidence_is_lost_is_certified_to_nobody(batch):
    batch.plan()
    batch.make()
    batch.promote()
    with pytest.raises(DataError, match="evidence by which income was promoted is not in the"):
        certified_models(batch.services, batch.name)


def test_a_withdrawn_model_is_said_to_remember(batch):
    batch.enroll()
    made = batch.plan()
    batch.judge(sample.attacked(0.7))
    batch.withdraw()
    withdrawn = ModelWithdrawn(attempt=made.key, batch=batch.name)
    tell(batch, "income", made.ids.withdrawn, withdrawn)
    facts = the_only(batch)
    assert (facts["outcome"], facts["reason"]) == ("withdrawn", "4 days are left.")
    assert [one["version"] for one in facts["earlier_versions"]] == [1]


def test_a_request_whose_rows_were_forgotten_earlier_names_that_batch(services):
    earlier = HandMadeBatch(services, name="b-earlier")
    earlier.enroll()
    earlier.plan()
    earlier.judge()
    earlier.promote()
    later = HandMadeBatch(services, name="b-later")
    later.plan("a-2", parent_version=2)
    later.judge(key="a-2")
    later.promote("a-2")
    noted = ForgottenEarlier(model="income", batch="b-earlier", attempt="a-1", records=("r-0",))
    later.happen(ids.forgotten_earlier("income", "a-1"), noted)
    found = certified_models(services, "b-later")
    (of_first,) = models_for(found, "r-0", {TABLE})
    (of_second,) = models_for(found, "r-1", {TABLE})
    assert of_first["in_batch"] == "b-earlier"
    assert "in_batch" not in of_second
    assert models_for(found, "r-1", {"file:///other"}) == []


def test_copies_and_unknown_versions_are_named_in_the_certificate(whole_world):
    client = whole_world.services.registry.client
    client.copy_model_version("models:/income/2", "prod-income")
    client.set_registered_model_alias("prod-income", "live", "1")
    client.create_model_version("income", "s3://elsewhere/weights")
    whole_world.forget_without_retiring(20)
    (model,) = whole_world.certificate("U-20")["models"]
    (copy,) = model["copies"]
    assert (copy["model"], copy["version"], copy["aliases"]) == ("prod-income", 1, ["live"])
    assert (copy["original"], copy["is_by_source"]) == (2, True)
    assert model["unknown_versions"] == [{"model": "income", "version": 3, "aliases": []}]
    before = whole_world.certificate("R-0")["models"][0]
    assert not {"copies", "unknown_versions"} & before.keys()


def test_of_few_people_only_what_describes_none_of_them_is_told(batch):
    batch.enroll()
    batch.plan(forget_count=300, subject_count=4)
    batch.judge()
    batch.promote()
    facts = the_only(batch)
    assert facts["withheld"].startswith("Withheld: fewer than 5 people")
    assert not {"forget_accuracy", "forget_loss", "mia_auc"} & {*facts["before"], *facts["after"]}
    assert not {"before", "after"} & set(facts["forgetting"]["judged"])
    checks = {one["name"]: one for one in facts["checks"]}
    assert checks["mia_auc_upper"]["passed"] is True
    assert "value" not in checks["mia_auc_upper"]
    assert "value" in checks["holdout_accuracy_loss"]


def test_five_people_hide_each_other(batch):
    batch.enroll()
    batch.plan(forget_count=5, subject_count=5)
    batch.judge()
    batch.promote()
    assert "withheld" not in the_only(batch)
