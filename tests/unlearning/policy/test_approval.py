import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.policy.approval import (
    Experience,
    ModelPreflight,
    expected_change,
    expected_seconds,
    share_of,
    why_approval,
)

policies = st.builds(
    ApprovalPolicy, max_share=st.floats(0, 1, width=32), max_rows=st.integers(0, 900)
)


def made(forget_count, row_count, seconds, change=None):
    return Experience(
        forget_count=forget_count, row_count=row_count, seconds=seconds, holdout_change=change
    )


@given(policies, st.integers(1, 1000), st.integers(0, 50))
def test_more_rows_never_do_without_an_approval_that_fewer_needed(policy, count, more):
    if why_approval(policy, "m", count, 2000):
        assert why_approval(policy, "m", count + more, 2000)


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_both_limits_are_inclusive(count, more):
    policy = ApprovalPolicy(max_share=count / 2000, max_rows=count)
    assert why_approval(policy, "m", count, 2000) == ""
    assert why_approval(ApprovalPolicy(max_share=1.0, max_rows=count), "m", count + more, 2000)
    assert why_approval(ApprovalPolicy(max_share=count / 2000), "m", count + more, 2000)


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (
            ApprovalPolicy(max_share=0.25),
            "m has to forget 300 of 1000 rows (30.0%); without approval 25.0%.",
        ),
        (ApprovalPolicy(max_rows=200), "m has to forget 300 rows; without approval 200."),
        (
            ApprovalPolicy(max_share=1.0, always=True),
            "Every batch that m has to forget needs approval.",
        ),
        (ApprovalPolicy(max_share=0.3), ""),
    ],
)
def test_the_reason_names_the_limit(policy, sentence):
    assert why_approval(policy, "m", 300, 1000) == sentence


def test_a_policy_that_allows_nothing_lets_nothing_through():
    for policy in (ApprovalPolicy(max_share=0.0), ApprovalPolicy(max_rows=0)):
        assert why_approval(policy, "m", 1, 10**6)


def test_numbers_that_nothing_earlier_can_tell_stay_unknown():
    assert expected_seconds([], "calibrated", 10, 100) is None
    assert expected_change([], "calibrated", 0.1) is None
    assert expected_change([made(10, 100, 1.0)], "calibrated", 0.1) is None
    assert expected_seconds([made(0, 0, 1.0)], "calibrated", 10, 100) is None


def test_an_update_takes_time_by_forget_rows_and_a_retrain_by_the_rows_that_stay():
    earlier = [made(10, 110, 2.0)]
    assert expected_seconds(earlier, "calibrated", 30, 110) == pytest.approx(6.0)
    assert expected_seconds(earlier, "retrain", 60, 110) == pytest.approx(1.0)


def test_one_interrupted_run_does_not_spoil_the_estimates():
    earlier = [made(10, 100, 1.0, -0.01), made(20, 100, 2.0, -0.02), made(10, 100, 9000.0, -0.9)]
    assert expected_seconds(earlier, "calibrated", 5, 100) == pytest.approx(0.5)
    assert expected_change(earlier, "calibrated", 0.2) == pytest.approx(-0.02)


def test_the_chance_of_a_small_batch_is_not_multiplied():
    earlier = [made(5, 2000, 1.0, 0.02)]
    assert expected_change(earlier, "calibrated", 0.12) is None
    assert expected_change(earlier, "retrain", 0.12) == pytest.approx(0.02)


def test_the_share_is_of_the_training_rows():
    model = ModelPreflight(
        model="m",
        plan="p",
        parent_version=1,
        is_serving=True,
        method="calibrated",
        forget_count=3,
        row_count=12,
        reason="",
    )
    assert model.share == 0.25
    assert share_of(3, 0) == 0.0
