"""A wider gate needs somebody who answers for it; one that sees nothing is refused."""

from dataclasses import replace

import pytest
import sample_evidence as sample
from factories import dataset, enrollment, measured
from hand_made_batch import TABLE, HandMadeBatch

from tasks.enrolling.source import ModelSource
from tasks.enrolling.widening import refuse_unnamed, wider_than_rejecting
from tasks.journal.events.catalog import model_stream
from tasks.journal.reading import config_digest, record_enrollment
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import SettingsError

NARROW, DEFAULT = GatePolicy(max_mia_auc=0.52), GatePolicy()


def source(policy=DEFAULT, by="", because=""):
    return ModelSource(
        model="income",
        dataset=dataset(uri=TABLE),
        dataset_version=None,
        holdout="file:///holdout",
        unlearning=UnlearningConfig(),
        policy=policy,
        widened_by=by,
        widened_because=because,
    )


@pytest.fixture
def rejected(services):
    """A model whose candidate was rejected under a narrow policy."""
    batch = HandMadeBatch(services)
    enrolled = enrollment(dataset=dataset(uri=TABLE), digest="1" * 64, policy=NARROW)
    record_enrollment(services.journal, enrolled)
    made = batch.plan(config_digest=config_digest(enrolled))
    batch.judge(sample.attacked(0.7))
    services.journal.append(model_stream("income"), made.ids.measured, measured(made))
    return services


def test_the_default_and_whatever_is_narrower_need_no_name(services):
    for policy in (DEFAULT, NARROW):
        refuse_unnamed(services, source(policy))


@pytest.mark.parametrize(("by", "because"), [("", ""), ("Ada", ""), ("", "why"), ("Ada", "  ")])
def test_a_wider_gate_is_refused_unless_somebody_says_why(services, by, because):
    wide = GatePolicy(max_mia_auc=0.7)
    said = r"wider than the default \(max_mia_auc 0.7 instead of 0.55\); say who"
    with pytest.raises(SettingsError, match=said):
        refuse_unnamed(services, source(wide, by, because))
    refuse_unnamed(services, source(wide, "Ada", "the rows are few"))


def test_nobody_can_answer_for_a_gate_that_sees_nothing(services):
    blind = GatePolicy(max_mia_auc=1.0, remaining_share=1.0)
    with pytest.raises(SettingsError, match="would be blind: with max_mia_auc 1 and"):
        refuse_unnamed(services, source(blind, "Ada", "why"))


def test_a_policy_widened_after_a_rejection_needs_a_name_also_within_the_default(rejected):
    assert wider_than_rejecting(rejected, source(NARROW)) == ()
    refuse_unnamed(rejected, source(NARROW))
    with pytest.raises(SettingsError, match="wider than one that rejected a candidate of it"):
        refuse_unnamed(rejected, source(DEFAULT))
    named = source(DEFAULT, "Ada", "the limit was wrong")
    refuse_unnamed(rejected, named)
    assert wider_than_rejecting(rejected, named) == ("max_mia_auc 0.55 instead of 0.52",)


def test_what_another_model_was_refused_says_nothing_of_this_one(rejected):
    other = replace(source(DEFAULT), model="other")
    refuse_unnamed(rejected, other)
