"""Models of other libraries, as modules: their files are the weights, and somebody else asks them.

Letters: N rows, F numbers of one row, C classes, B bytes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from unlearning.model.adapted import inner_of

FILES = "files"
"""Name of the one tensor of an opaque model."""
Scorer = Callable[[Tensor, Tensor], Tensor]
"""What the model in these files, uint8 [B], answers to rows [N, F]."""

NO_RETRAIN = (
    "Only its owner's code can train a model of another library than PyTorch; give it with "
    "--recipe FILE."
)
NO_GRADIENT = "A model of another library has no gradients, and is always trained anew."


class OpaqueModel(nn.Module):
    """A model that nobody looks into: one tensor holds its files, and it has no parameter.

    So candidates, digests and reference models are kept and compared as those of any other module.
    """

    files: Tensor

    def __init__(self, files: Tensor, scorer: Scorer, library: str) -> None:
        """Take the files as uint8 [B], who asks the model in them, and which library made it."""
        super().__init__()
        self.register_buffer(FILES, files)
        self.scorer, self.library = scorer, library

    def forward(self, rows: Tensor) -> Tensor:
        """Class scores [N, C], or one number for each row [N]."""
        return self.scorer(self.files, rows)

    def __deepcopy__(self, memo: dict[int, Any]) -> "OpaqueModel":
        return OpaqueModel(self.files.clone(), self.scorer, self.library)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *rest: Any, **options: Any
    ) -> None:
        """Other files may be of another size, for which torch has no way of its own."""
        files = state_dict.get(f"{prefix}{FILES}")
        if isinstance(files, Tensor) and files.dtype == torch.uint8 and files.ndim == 1:
            self.files = files.detach().clone()
        super()._load_from_state_dict(state_dict, prefix, *rest, **options)  # pyright: ignore[reportUnknownMemberType]


def opaque_in(model: nn.Module) -> OpaqueModel | None:
    """The model of another library behind an interface, or as it is; None if it is torch's own."""
    inner = inner_of(model)
    return inner if isinstance(inner, OpaqueModel) else None


def is_opaque(model: nn.Module) -> bool:
    """Whether the model is of another library than torch."""
    return opaque_in(model) is not None
