from dataclasses import FrozenInstanceError, fields

import pytest

from unlearning.config.deletion_budget import DeletionBudget
from unlearning.errors import SettingsError

NAN = float("nan")


def test_the_defaults_are_in_range_and_frozen():
    config = DeletionBudget()
    with pytest.raises(FrozenInstanceError):
        setattr(config, fields(DeletionBudget)[0].name, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_share", -0.01),
        ("max_share", NAN),
        ("max_class_share", 1.01),
        ("max_updates", -1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(SettingsError, match=field):
        DeletionBudget(**{field: value})
