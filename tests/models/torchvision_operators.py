"""Names of torchvision's operators where its compiled ones do not load, so that it can be imported.

Its wheel for Linux has them for CUDA alone. `make models` puts this file beside it.
"""

import sys
from typing import Any

NAMES = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


class Operators:
    """Asked for each module before it is imported; names the operators when they are needed."""

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> None:
        """Never a module: whoever is asked next finds it."""
        if name == "torchvision._meta_registrations":
            sys.meta_path.remove(cls)  # pyright: ignore[reportArgumentType]
            import torch

            for operator, schema in NAMES.items():
                if not hasattr(torch.ops.torchvision, operator):
                    torch.library.define(f"torchvision::{operator}", schema)


sys.meta_path.insert(0, Operators)  # pyright: ignore[reportArgumentType]
