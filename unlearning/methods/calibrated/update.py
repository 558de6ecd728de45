"""Calibrated IAU: forget rows are moved to where unseen rows stand, retain rows are kept.

IAU raises the loss of the forget rows (incremental approximation) while it lowers that of the
retain rows (gradient correction), by one step whose size nothing in the data decides. Here, our
choice throughout, each row has a goal: a forget row the margin of unseen rows of its kind, a retain
row the margin that it had. Gauss-Newton steps go there and no further: for a small forget set one
or two that are solved exactly, for a larger one many that are not.

Symbols: phi the margin of a row, g its goal, H the Huber function.
"""

import torch
from torch import Tensor, nn

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.calibrated.batches import GoalBatches
from unlearning.methods.calibrated.closed_form import approach_by_closed_form, row_pass
from unlearning.methods.calibrated.descent import approach_by_descent
from unlearning.methods.calibrated.goals import read_goals
from unlearning.methods.network import Network
from unlearning.methods.problem import UnlearningProblem, model_state
from unlearning.model.forward import autocast, fixed_mode
from unlearning.model.rows import Rows, TensorRows, gather, random_rows

_ROWS_PER_FORGOTTEN = 8
_MOST_ROWS = 8192
"""Retain and holdout rows that a larger forget set takes: eight times its own, up to this many."""


def calibrated_update(
    model: nn.Module,
    *,
    forget: Rows,
    retain: Rows,
    holdout: Rows,
    config: UnlearningConfig,
    device: str = "cpu",
) -> dict[str, Tensor]:
    """New values of the trainable parameters, on the CPU; the forget rows now look unseen.

    Minimises mean_f H(phi - g) + b mean_r H(phi - g) in evaluation mode, b = `retain_weight`, or
    more in proportion for fewer than `full_weight_rows` forget rows. Retain rows start at their
    goal, so they are kept there; what they lack on average for all that is added to their goals
    from step to step (see `GoalMultiplier`). No gradient ever comes from the holdout. At most
    `closed_form_rows` forget rows go there in closed form (see `approach_by_closed_form`); more of
    them, those of a model that `row_pass` says no to, and those that did not arrive, in many small
    steps (see `approach_by_descent`). It ends when the mean of |sigmoid(phi) - sigmoid(g)| over the
    forget rows is within `tolerance`, or within `remaining_share` of what it was, or no step is
    left. Rows that already look unseen are left alone, so that a second update does not
    over-forget.

    Cost: one forward pass over the forget rows, over `retain_sample` retain rows and over
    `holdout_sample` holdout rows (eight times as many as forget rows beyond `closed_form_rows`, but
    never more than 8,192); and the steps, each over `closed_form_batch` rows of both sets, or over
    at most `forget_batch` forget rows and as many retain rows, but at least `min_retain_batch`.
    Nothing depends on the size of the training table,
    and of the forget set no more than four times `forget_batch` rows are asked for at once. From
    those the rows of a batch are drawn by chance: a table sorted by class does no harm, unless the
    forget set is much longer. Same seed, same bits on the CPU.

    Raises:
        DataError: a set is empty, or a label is not a class of the model.
        DivergenceError: a gradient, a margin or the distance to the goals is no longer finite.
    """
    network = Network(model, device, config.chunk_size)
    random = torch.Generator().manual_seed(config.seed)
    rule = config.calibration
    is_small = rule.is_small(forget.count)

    def sample(rows: Rows, few: int) -> TensorRows:
        many = min(max(few, _ROWS_PER_FORGOTTEN * forget.count), _MOST_ROWS)
        count = few if is_small else many
        return random_rows(rows, count, config.seed) if rows.count > count else gather(rows)

    with fixed_mode(model), torch.enable_grad(), autocast(device, "float32"):
        known, unseen = sample(retain, rule.retain_sample), sample(holdout, rule.holdout_sample)
        goals = read_goals(network, forget, known, unseen, rule)
        if goals.distance > rule.tolerance:
            rows = row_pass(network, known, forget.count, rule)
            sets = forget, known, goals, rule, random, device
            if rows is None or not approach_by_closed_form(
                network, GoalBatches(*sets, is_exact=True), goals.distance, rows, rule
            ):
                approach_by_descent(network, GoalBatches(*sets), goals.distance, rule)
    return {n: v.detach().cpu() for n, v in zip(network.names, network.parameters(), strict=True)}


def calibrated_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The new state after the calibrated update (see `calibrated_update`); needs no ledger."""
    update = calibrated_update(
        problem.model,
        forget=problem.forget,
        retain=problem.retain,
        holdout=problem.holdout,
        config=config,
        device=problem.device,
    )
    return model_state(problem.model) | update
