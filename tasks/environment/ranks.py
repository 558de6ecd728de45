"""The processes that torchrun started together, as one group that can share a pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed

from tasks.environment.device import pick_device
from tasks.environment.settings import Settings, load_rank

# Torchrun ends the others when a rank dies, so this only bounds how uneven their shares may be.
_PATIENCE = timedelta(hours=2)


@contextmanager
def rank_group(settings: Settings) -> Iterator[bool]:
    """A block in which the ranks can share passes; gives whether this is the first of them.

    Nccl on GPUs, gloo on the CPU. In a process that torchrun did not start there is no group, and
    it is the first.

    Raises:
        SettingsError: a machine has fewer GPUs than ranks.
    """
    rank = load_rank()
    if rank.world == 1:
        yield True
        return
    device = torch.device(pick_device(settings))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield rank.number == 0
    finally:
        distributed.destroy_process_group()
