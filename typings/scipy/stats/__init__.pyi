from collections.abc import Callable
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

class _Interval(Protocol):
    low: float
    high: float

class _BinomialTest(Protocol):
    def proportion_ci(
        self, confidence_level: float = ..., method: Literal["exact", "wilson", "wilsoncc"] = ...
    ) -> _Interval: ...

def binomtest(
    k: int, n: int, p: float = ..., alternative: Literal["two-sided", "greater", "less"] = ...
) -> _BinomialTest: ...
def mannwhitneyu(x: ArrayLike, y: ArrayLike, **options: Any) -> Any: ...
def bootstrap(data: Any, statistic: Callable[..., Any], **options: Any) -> Any: ...

beta: Any
norm: Any
t: Any

def rankdata(a: ArrayLike, method: str = ..., **options: Any) -> NDArray[np.float64]: ...
