"""Which device the numbers are computed on."""

import torch

from tasks.environment.settings import Settings, load_rank
from unlearning.errors import SettingsError


def pick_device(settings: Settings) -> str:
    """The configured device; auto takes a GPU when there is one, under torchrun one for each rank.

    Raises:
        SettingsError: a device is asked for that this machine does not have.
    """
    wanted = settings.device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise SettingsError("EXPUNGE_DEVICE asks for cuda, but there is no GPU; use auto or cpu.")
    if int(wanted.partition(":")[2] or 0) >= max(1, torch.cuda.device_count()):
        raise SettingsError(
            f"EXPUNGE_DEVICE asks for {wanted}, but there are {torch.cuda.device_count()} GPUs, "
            "counted from 0; name one that there is, or use auto."
        )
    return _own_gpu() if wanted == "cuda" and load_rank().world > 1 else wanted


def _own_gpu() -> str:
    local, present = load_rank().local, torch.cuda.device_count()
    if local >= present:
        raise SettingsError(
            f"Rank {local} of this machine finds {present} GPUs; start torchrun with "
            f"--nproc-per-node {present}, or set EXPUNGE_DEVICE=cpu."
        )
    return f"cuda:{local}"
