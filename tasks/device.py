"""Which device the numbers are computed on."""

import torch

from tasks.settings import load_settings
from unlearning.errors import SettingsError


def pick_device() -> str:
    """The configured device; auto takes a GPU when there is one.

    Raises:
        SettingsError: a device is asked for that this machine does not have.
    """
    wanted = load_settings().device
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise SettingsError("EXPUNGE_DEVICE asks for cuda, but there is no GPU; use auto or cpu.")
    return wanted
