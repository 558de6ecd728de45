from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

class LogisticRegression:
    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    def __init__(self, *, max_iter: int = ..., class_weight: str | None = ...) -> None: ...
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self: ...  # noqa: N803 - its name
