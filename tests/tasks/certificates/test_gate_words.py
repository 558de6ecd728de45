"""A gate that was wider than the default is told in words, with who answers for it."""

from factories import dataset, enrollment
from hand_made_batch import TABLE

from tasks.certificates.certified_models import certified_models
from tasks.certificates.gate_words import overlap_of, said_of, words_of_gate
from tasks.journal.reading import config_digest, record_enrollment
from unlearning.config.gate_policy import GatePolicy

WIDE = {"policy": GatePolicy(max_mia_auc=0.7), "widened_by": "Ada", "widened_because": "few rows."}


def test_the_default_is_not_spoken_of():
    assert said_of(enrollment()) == ""
    assert said_of(enrollment(policy=GatePolicy(max_mia_auc=0.51))) == ""


def test_a_wider_gate_is_told_with_limits_name_and_reason():
    assert said_of(enrollment(**WIDE)) == (
        "The gate was wider than expunge's default: max_mia_auc 0.7 instead of 0.55. By Ada, "
        "because few rows."
    )


def test_one_widened_after_a_rejection_says_so():
    said = said_of(enrollment(**WIDE, wider_than_rejecting=("max_mia_auc 0.7 instead of 0.6",)))
    assert "after it had rejected a candidate of this model: max_mia_auc 0.7 instead of 0.6" in said


def test_a_wider_gate_of_an_older_store_has_nobody_on_record():
    said = said_of(enrollment(policy=WIDE["policy"]))
    assert "By somebody who is not on record" in said


def test_a_holdout_that_was_learned_from_is_told_in_numbers():
    assert overlap_of(enrollment()) == ""
    said = overlap_of(enrollment(shared_subjects=1, shared_rows=3))
    assert "1 person had rows in training and holdout table, and 3 holdout rows could be" in said


def test_the_certificate_and_the_report_say_by_which_gate_it_was_judged(batch):
    enrolled = enrollment(dataset=dataset(uri=TABLE), digest="1" * 64, **WIDE)
    record_enrollment(batch.services.journal, enrolled)
    made = batch.plan(config_digest=config_digest(enrolled))
    batch.judge()
    batch.promote()
    # A narrower one, enrolled since, does not hide by which one it was judged.
    batch.enroll()
    said = words_of_gate(batch.services, made)["gate_was_wider"]
    assert "max_mia_auc 0.7 instead of 0.55" in said
    (model,) = certified_models(batch.services, batch.name)
    assert model.stated["gate_was_wider"] == said
    batch.erase()
    assert "max_mia_auc 0.7 instead of 0.55. By Ada" in batch.text()
