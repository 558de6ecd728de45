"""Classifiers of the transformers library, asked by the names of their arguments.

Letters: N rows, L tokens of one row, C classes.
"""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from unlearning.config.model_interface import PLAIN
from unlearning.model.adapted import Adapted

Normal = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and spread of pixels, channel by channel; empty if they go in as they are."""


class TransformersClassifier(Adapted):
    """A classifier of texts or images that gives the tensor of its scores, [N, C].

    One of texts reads rows of token ids [N, L], whole numbers of whatever type; what is padding
    is masked. One of images reads pixels from 0 to 1, [N, channels, height, width].
    """

    padding: int | None
    normal: Normal

    def __init__(
        self, inner: nn.Module, padding: int | None = None, normal: Normal = ((), ())
    ) -> None:
        """For texts with this id as padding; None for images, of which the model reads z-scores."""
        super().__init__(inner, PLAIN)
        self.__dict__["padding"] = padding
        self.__dict__["normal"] = normal

    def forward(self, rows: Tensor) -> Any:
        """Class scores of the rows."""
        if self.padding is None:
            mean, spread = (rows.new_tensor(one).reshape(-1, 1, 1) for one in self.normal)
            return self.inner(pixel_values=(rows - mean) / spread if len(mean) else rows).logits
        ids = rows.long()
        mask = ids != self.padding
        # Row by row, as in vmap, nobody may look at the values of a plain mask, as the library
        # does; whether the model takes one that is laid out already, `closed_form.row_pass` sees.
        mask = mask[:, None, None, :] if _is_row_by_row(rows) else mask.long()
        return self.inner(input_ids=ids, attention_mask=mask).logits

    def __deepcopy__(self, memo: dict[int, Any]) -> "TransformersClassifier":
        return TransformersClassifier(deepcopy(self.inner, memo), self.padding, self.normal)


def is_of_transformers(model: nn.Module) -> bool:
    """Whether the model is a classifier of the library, behind whatever interface."""
    while isinstance(model, Adapted):
        if isinstance(model, TransformersClassifier):
            return True
        model = model.inner
    return False


def _is_row_by_row(rows: Tensor) -> bool:
    inner: Any = torch._C  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return bool(inner._functorch.is_batchedtensor(rows))  # noqa: SLF001
