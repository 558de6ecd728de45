from dataclasses import asdict

import pytest
from pydantic import TypeAdapter, ValidationError

from unlearning.evidence.evidence import AccuracyLoss, Pool


def test_pools_add_up_and_share_the_larger_doubt_about_the_holdout():
    one = Pool(count=3, before=2.0, after=1.5, variance=1e-4)
    other = Pool(count=2, before=1.0, after=0.5, variance=1e-5)
    assert one + other == Pool(count=5, before=3.0, after=2.0, variance=1e-4)
    assert one + Pool() == one


def test_a_loss_whose_upper_end_is_missing_cannot_be_read():
    whole = asdict(AccuracyLoss(rows=9, value=0.1, certain=0.0, possible=0.2))
    assert TypeAdapter(AccuracyLoss).validate_python(whole).possible == 0.2
    del whole["possible"]
    with pytest.raises(ValidationError, match="possible"):
        TypeAdapter(AccuracyLoss).validate_python(whole)
