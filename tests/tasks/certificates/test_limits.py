"""Limits of a certificate: each is said where it applies, and nowhere else."""

from tasks.certificates.limits import LIMITS, Ground, not_proven

UPDATED = {"method": "calibrated", "is_exact": False, "outcome": "forgotten"}
RETRAINED = {"method": "retrain", "is_exact": True, "outcome": "forgotten"}


def said(*models, is_found=True, **facts):
    return " ".join(not_proven(Ground(is_found=is_found, models=models, **facts)))


def test_an_update_may_have_left_traces_in_single_rows_and_a_retrain_was_not_measured():
    for sentence in ("not retraining", "single rows may be less forgotten"):
        assert sentence in said(UPDATED)
        assert sentence not in said(RETRAINED)
    assert "it never read the rows" in said(RETRAINED)
    assert "it never read the rows" not in said(UPDATED)


def test_who_asks_before_and_after_learns_something_wherever_a_version_followed():
    for model in (UPDATED, RETRAINED):
        assert "may tell by the difference who was erased" in said(model)
    assert "by the difference" not in said({"outcome": "withdrawn"})


def test_only_what_a_model_states_is_said_of_it():
    for fact, sentence in {
        "no_control": "no rows planted",
        "holdout_was_learned": "are no evidence of what it never saw",
        "gate_was_wider": "lets pass more than it does by default",
        "judged_with_earlier_rows": "together with rows of earlier requests",
        "kept_from_parent": "kept the tensors",
        "trained_by": "what that brings along, in its own code or in installed packages",
        "earlier_versions": "Earlier model versions remember",
    }.items():
        assert sentence in said({**UPDATED, fact: ["x"]})
        assert sentence not in said(UPDATED)
    for outcome in ("withdrawn", "out of service"):
        assert "may still remember the rows" in said({"outcome": outcome})
    assert "may still remember the rows" not in said(UPDATED)
    assert "'cannot decide'" in said({**UPDATED, "outcome": "cannot decide"})
    assert "'cannot decide'" not in said(UPDATED)


def test_nothing_left_to_see_says_what_was_shown():
    assert "may have changed little" in said({**UPDATED, "outcome": "nothing left to see"})
    assert "may have changed little" not in said(UPDATED)


def test_objects_are_told_of_as_far_as_they_were_looked_for():
    assert "others that show the person" not in said(UPDATED)
    assert "others that show the person" in said(UPDATED, may_point=True)
    own = said(UPDATED, objects=[{"objects_shared": 0}])
    assert "others that show the person" in own
    assert "rows of others point to them too" not in own
    assert "rows of others point to them too" in said(UPDATED, objects=[{"objects_shared": 1}])
    missing = {"objects_shared": 0, "objects_missing": 1}
    assert "nothing behind the addresses" in said(UPDATED, objects=[missing])


def test_a_search_in_vain_says_how_it_searched():
    told = said(is_found=False)
    assert "Only the id as it was written" in told
    sought, settled = (
        said(is_found=False, **{fact: True}) for fact in ("are_spellings_sought", "is_settled")
    )
    assert "differs in more than case" in sought
    assert "a person said that exactly this id is meant" in settled
    assert "a person said that exactly this id is meant" in said(UPDATED, is_settled=True)
    assert "Only the id as it was written" not in sought + settled
    assert "Only what stands under tables_searched was searched" in told
    assert "Only the id" not in said(UPDATED, is_erased=True)
    assert "compressed pages" not in told
    assert "searched for the ids as stored, not inside compressed pages" in said(is_erased=True)
    numbers = said(is_erased=True, is_partly_by_words=True)
    assert "not searched for ids that are short, plain numbers or more than one word" in numbers
    assert "searched for the ids as stored" not in numbers
    assert "could not be searched" in said(is_gone=True)
    assert "were left alone" not in said(is_erased=True)
    assert "were left alone" in said(is_erased=True, is_partly_searched=True)


def test_every_limit_is_said_of_something():
    everything = {
        **UPDATED,
        "outcome": "cannot decide",
        "no_control": "x",
        "judged_with_earlier_rows": 1,
        "gate_was_wider": "x",
        "holdout_was_learned": "x",
        "earlier_versions": [1],
    }
    bounded = {**UPDATED, "outcome": "nothing left to see"}
    models = [
        everything,
        bounded,
        {**RETRAINED, "kept_from_parent": ["x"], "trained_by": "a recipe"},
        {"outcome": "withdrawn"},
        {"outcome": "not asked"},
    ]
    found = Ground(
        is_found=True,
        is_erased=True,
        is_partly_searched=True,
        has_strangers=True,
        objects=[{"objects_shared": 1, "objects_missing": 1}],
        is_gone=True,
        models=models,
    )
    numbers = not_proven(Ground(is_found=True, is_erased=True, is_partly_by_words=True))
    sought = not_proven(Ground(is_found=False, are_spellings_sought=True))
    settled = not_proven(Ground(is_found=False, is_settled=True))
    assert {
        *not_proven(found),
        *not_proven(Ground(is_found=False)),
        *numbers,
        *sought,
        *settled,
    } == {limit.sentence for limit in LIMITS}
