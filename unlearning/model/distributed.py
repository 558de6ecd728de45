"""One pass over the rows shared by several processes, each with rows of its own.

The processes are the ranks of `torch.distributed`'s default group, which the caller has set up.
Without a group there is one rank, and every function here does what its plain counterpart does.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn

from unlearning.config.unlearning_config import Precision
from unlearning.errors import ConflictError, ExpungeError
from unlearning.model.gradients import Gradient, GradientSum, gradient_sum, mean_of
from unlearning.model.rows import Rows

_distributed: Any = distributed  # torch leaves some of its functions without types


def rank_count() -> int:
    """How many ranks share the work."""
    return distributed.get_world_size() if _has_group() else 1


def own_rank() -> int:
    """This process's number among the ranks, from 0."""
    return distributed.get_rank() if _has_group() else 0


def shared_gradient(
    model: nn.Module,
    rows: Rows,
    *,
    chunk_size: int,
    device: str = "cpu",
    precision: Precision = "float32",
) -> Gradient:
    """The mean gradient over the rows of all ranks together; every rank gets the same bits.

    Every rank calls it with the same model and its own rows, maybe none. The float64 sums are
    added in the order of the ranks, so the same number of ranks gives the same bits on the CPU, and
    another number the same value within rounding (see `unlearning.model.gradients.mean_gradient`).

    Cost: one pass over the own rows; each rank sends its sums once. Memory for one chunk and four
    copies of the parameters, whatever the number of ranks.

    Raises:
        DataError: no rank has rows, or a label is not a class of the model.
        UnsupportedModelError: the model has no trainable parameter or no plain class scores.
        DivergenceError: a loss or a gradient is not finite.
        ExpungeError: another rank failed; it says why.
    """
    try:
        part = gradient_sum(model, rows, chunk_size=chunk_size, device=device, precision=precision)
    except Exception:
        # The others wait for this rank's sums: tell them that none will come.
        _refuse_failed(device, failed=True)
        raise
    _refuse_failed(device, failed=False)
    return mean_of(_added(part, device) if _has_group() else part)


def total_count(rows: Rows) -> int:
    """Rows of all ranks together; each rank asks at the same place."""
    if not _has_group():
        return rows.count
    counts: list[int | None] = [None] * rank_count()
    _distributed.all_gather_object(counts, rows.count)
    return sum(count or 0 for count in counts)


def agree(choice: str) -> str:
    """What rank 0 chose, for all ranks; each rank asks at the same place."""
    if not _has_group():
        return choice
    agreed: list[str] = [choice]
    distributed.broadcast_object_list(agreed, src=0)
    return agreed[0]


def refuse_other(own: str, agreed: str) -> None:
    """Nothing, if this rank sees what rank 0 sees.

    Raises:
        ConflictError: it does not.
    """
    if own != agreed:
        raise ConflictError(
            f"Rank {own_rank()} works on {own!r} and rank 0 on {agreed!r}; "
            "give all ranks the same store and models, then run again."
        )


def _has_group() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _added(part: GradientSum, device: str) -> GradientSum:
    """The sums of all ranks, added in the order of the ranks."""
    numbers = [torch.tensor([part.row_count, part.total_loss], dtype=torch.float64)]
    own = torch.cat([*numbers, *(value.reshape(-1) for value in part.values.values())]).to(device)
    total = torch.zeros_like(own)
    for rank in range(rank_count()):
        sent = own.clone() if rank == own_rank() else torch.empty_like(own)
        distributed.broadcast(sent, src=rank)
        total += sent
    total = total.cpu()
    return GradientSum(
        values=_unpacked(total[2:], part.values),
        row_count=int(total[0]),
        total_loss=float(total[1]),
    )


def _unpacked(flat: Tensor, like: dict[str, Tensor]) -> dict[str, Tensor]:
    unpacked: dict[str, Tensor] = {}
    start = 0
    for name, value in like.items():
        unpacked[name] = flat[start : start + value.numel()].reshape(value.shape)
        start += value.numel()
    return unpacked


def _refuse_failed(device: str, *, failed: bool) -> None:
    """Let every rank know whether all of them finished the pass."""
    if not _has_group():
        return
    flags = torch.zeros(rank_count(), device=device)
    flags[own_rank()] = float(failed)
    _distributed.all_reduce(flags)
    if not failed and bool(flags.any()):
        raise ExpungeError(
            f"Rank {int(flags.argmax())} failed in this pass and says why; mend that, run again."
        )
