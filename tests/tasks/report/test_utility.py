"""What the report says of usefulness: whole sets first, then groups, and what is left out."""

from dataclasses import replace

import sample_evidence as sample

from tasks.report.utility import utility_lines, utility_sentences
from unlearning.evidence.utility_report import Change, GroupUtility, Interval, SetUtility, Utility


def around(value):
    return Interval(lower=value - 0.01, upper=value + 0.01)


def change(before, after, doubt=0.02):
    """A change with its interval."""
    step = after - before
    return Change(
        before=before,
        after=after,
        lower=step - doubt,
        upper=step + doubt,
        before_interval=around(before),
        after_interval=around(after),
    )


GROUP = GroupUtility(column="home_region", value="north", rows=120, accuracy=change(0.8, 0.7))
HOLDOUT = SetUtility(
    rows=2_000,
    accuracy=change(0.81, 0.805),
    loss=change(0.9, 0.91),
    churn=0.041,
    churn_interval=around(0.041),
    newly_wrong=0.02,
    newly_wrong_interval=around(0.02),
    auroc=change(0.881, 0.876),
    groups=(GROUP,),
    small_groups=2,
)
EVIDENCE = replace(
    sample.FORGOTTEN, utility=Utility(holdout=HOLDOUT, retain=replace(HOLDOUT, groups=()))
)


def test_sets_come_first_and_groups_of_unseen_rows_follow():
    lines = utility_lines(EVIDENCE)
    assert [(line.name, line.rows) for line in lines] == [
        ("All rows it never saw", 2_000),
        ("All rows that stay", 2_000),
        ("Home region north", 120),
    ]
    assert (round(lines[2].before), round(lines[2].after)) == (80, 70)


def test_a_loss_is_one_only_where_chance_does_not_explain_it():
    whole, _, north = utility_lines(EVIDENCE)
    assert north.is_loss
    assert not whole.is_loss


def test_what_the_table_leaves_out_is_said():
    otherwise, roc, small = utility_sentences(EVIDENCE)
    assert "4.1 points in 100 rows that it never saw, 2.0 points of them newly wrong" in otherwise
    assert "0.881 before, 0.876 after (change -0.025 to +0.015)" in roc
    assert small.startswith("2 classes or slices have too few rows")


def test_nothing_is_said_of_what_was_not_measured():
    bare = replace(HOLDOUT, auroc=None, small_groups=0)
    assert EVIDENCE.utility is not None
    evidence = replace(EVIDENCE, utility=replace(EVIDENCE.utility, holdout=bare))
    assert len(utility_sentences(evidence)) == 1


def test_a_model_of_numbers_says_which_answers_are_right_and_has_no_classes():
    of_class = replace(GROUP, column="class", value="1")
    unseen = replace(HOLDOUT, groups=(of_class, GROUP))
    evidence = replace(
        sample.FORGOTTEN,
        utility=Utility(retain=HOLDOUT, holdout=unseen),
        holdout_error=sample.NUMBER_ERROR,
    )
    first, second, *_ = utility_sentences(evidence)
    assert "An answer less than 0.5 off counts as right" in first
    assert "0.8 before, 0.81 after" in second
    assert len(utility_lines(evidence)) == 3  # two sets, one slice
