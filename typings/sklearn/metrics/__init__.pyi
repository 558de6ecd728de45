import numpy as np
from numpy.typing import ArrayLike, NDArray

def roc_auc_score(y_true: ArrayLike, y_score: ArrayLike) -> float: ...
def roc_curve(
    y_true: ArrayLike, y_score: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
