"""Canaries: rows that are learned and erased in the very run, to see what the attack can see.

Letters: M canaries, H unseen rows, K reference models.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn

from unlearning.attacks.attacks import Signals, row_statistics
from unlearning.attacks.percentiles import Percentiles, chance_deviation, percentiles
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.evaluation.probes import descent, mean_loss
from unlearning.evidence.evidence import AttackName, Canaries
from unlearning.methods.catalog import unlearn
from unlearning.methods.network import Network, epoch_batches
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.forward import fixed_mode, model_copy
from unlearning.model.rows import TensorRows, random_rows
from unlearning.model.scores import Scores, read_scores

LEAST_CANARIES = 128
"""Fewer rows would not show whether the attack works."""
_PLANTING_EPOCHS, _PLANTING_BATCH, _PLANTING_RATE, _PRESSED_EPOCHS = 10, 64, 2e-3, 100
_READ = 1000
"""Most retain and holdout rows that the update of the canaries reads: it must not cost more than
the one that it stands for."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CanaryTest:
    """What canaries are tried with."""

    unseen: TensorRows
    """Holdout rows that no update or reference reads [H]."""
    canaries: Tensor
    """Places of those that become canaries [M]; the others are what they are compared with."""
    attack: AttackName
    """The attack that judges the batch."""
    references: Tensor
    """What its K reference models said of the unseen rows, phi_k [K, H] (see `Signals`)."""
    false_alarm: float
    """As in the policy."""
    min_class_rows: int
    """As in the policy."""


def canary_control(
    problem: UnlearningProblem, test: CanaryTest, config: UnlearningConfig
) -> Canaries:
    """Can this attack see a failure, and can this update mend it? Asked of rows made for it.

    The canaries, unseen rows until now, are learned by a copy of the model, by Adam on mini-batches
    of them and of as many retain rows, until their loss is down to that of the retain rows, ten
    epochs at most: the attack must notice. Then the same update erases them from the copy, and the
    attack must not; it may read 1,000 rows of each sample. Where the attack hardly noticed, for the
    model learns no row by heart, they are learned for 100 epochs, to see whether it can notice at
    all. Cost: the epochs, one update, and three forward passes over the unseen rows at most.

    Raises:
        ExpungeError: as `unlearn`.
    """
    unseen, size = test.unseen, config.chunk_size
    canaries = TensorRows(unseen.inputs[test.canaries], unseen.labels[test.canaries])
    planted = _planted(problem, canaries, size)
    given = UnlearningProblem(
        model=planted,
        forget=canaries,
        retain=random_rows(problem.retain, _READ),
        holdout=random_rows(problem.holdout, _READ),
        device=problem.device,
    )
    erased = _with_state(planted, unlearn(given, config))
    learned, after = (
        _ranked(test, read_scores(model, unseen, chunk_size=size, device=problem.device))
        for model in (planted, erased)
    )
    chance = chance_deviation(
        canaries.count, learned.holdout_variance, false_alarm=test.false_alarm
    )
    pressed = None
    if learned.auc < 0.5 + 2 * chance:
        hard = _planted(problem, canaries, size, pressed=True)
        scores = read_scores(hard, unseen, chunk_size=size, device=problem.device)
        pressed = _ranked(test, scores).auc
    return Canaries(
        count=canaries.count,
        planted=learned.auc,
        erased=after.auc,
        limit=0.5 + chance,
        pressed=pressed,
    )


def _planted(
    problem: UnlearningProblem, canaries: TensorRows, chunk_size: int, *, pressed: bool = False
) -> nn.Module:
    beside = random_rows(problem.retain, canaries.count)
    rows = TensorRows(
        torch.cat([canaries.inputs, beside.inputs]), torch.cat([canaries.labels, beside.labels])
    )
    network = Network(problem.model, problem.device, chunk_size)
    goal, random = mean_loss(network, beside), torch.Generator().manual_seed(0)
    with fixed_mode(problem.model), torch.enable_grad():
        epochs = _PRESSED_EPOCHS if pressed else _PLANTING_EPOCHS
        batches = epoch_batches(rows.count, _PLANTING_BATCH, epochs, random)
        epoch = ceil(rows.count / _PLANTING_BATCH)
        for taken, _ in enumerate(descent(network, rows, batches, _PLANTING_RATE)):
            is_read = taken and taken % epoch == 0 and not pressed
            if is_read and mean_loss(network, canaries) <= goal:
                break
    learned = dict(zip(network.names, network.parameters(), strict=True))
    return _with_state(problem.model, dict(problem.model.state_dict()) | learned)


def _with_state(model: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    copy = model_copy(model)
    copy.load_state_dict({name: value.detach().cpu() for name, value in state.items()})
    return copy


def _ranked(test: CanaryTest, scores: Scores) -> Percentiles:
    """Where the canaries stand among the other unseen rows."""
    signals = Signals(scores.margins, scores.labels, test.references)
    statistics = row_statistics(test.attack, signals)
    planted = torch.zeros(test.unseen.count, dtype=torch.bool)
    planted[test.canaries] = True
    return percentiles(
        statistics[planted],
        scores.labels[planted],
        statistics[~planted],
        scores.labels[~planted],
        min_rows=test.min_class_rows,
    )
