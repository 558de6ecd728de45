from dataclasses import FrozenInstanceError, fields

import pytest

from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.errors import SettingsError

NAN = float("nan")


def test_the_defaults_are_in_range_and_frozen():
    config = ApprovalPolicy()
    with pytest.raises(FrozenInstanceError):
        setattr(config, fields(ApprovalPolicy)[0].name, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_share", -0.01),
        ("max_share", 1.01),
        ("max_share", NAN),
        ("max_rows", -1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(SettingsError, match=field):
        ApprovalPolicy(**{field: value})
