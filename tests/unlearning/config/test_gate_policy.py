from dataclasses import FrozenInstanceError, fields

import pytest

from unlearning.config.gate_policy import GatePolicy
from unlearning.errors import SettingsError

NAN = float("nan")


def test_the_defaults_are_in_range_and_frozen():
    config = GatePolicy()
    with pytest.raises(FrozenInstanceError):
        setattr(config, fields(GatePolicy)[0].name, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_holdout_accuracy_loss", -0.01),
        ("max_retain_accuracy_loss", 1.1),
        ("max_mia_auc", 0.49),
        ("min_mia_auc", 0.51),
        ("max_accuracy_advantage", -0.01),
        ("max_accuracy_advantage", NAN),
        ("max_class_accuracy_loss", NAN),
        ("max_exact_accuracy_loss", -0.1),
        ("max_slice_accuracy_loss", 1.1),
        ("max_exact_slice_accuracy_loss", NAN),
        ("min_slice_rows", 0),
        ("max_possible_loss", 1.1),
        ("max_exact_possible_loss", NAN),
        ("remaining_share", 1.1),
        ("false_alarm", 0.0),
        ("false_alarm", 0.6),
        ("min_power", NAN),
        ("min_class_rows", 0),
        ("references", -1),
        ("reference_rows", 0),
        ("nothing_left_auc", 0.49),
        ("nothing_left_auc", NAN),
        ("withdraw_days", -1),
        ("last_resort", "maybe"),
        ("undecided", "maybe"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(SettingsError, match=field):
        GatePolicy(**{field: value})
