"""The gradient ledger: the full-data mean gradient, kept so no retain row is read again.

Letters: n rows the model was trained on, n_f rows to forget; L_mean a mean loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearning.errors import StaleLedgerError, UnfitRowsError
from unlearning.model.gradients import Gradient, checked_gradient

FORM = "expunge-ledger/1"
_REMEDY = "build a new ledger of this model version, as `expunge ledger` does."


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """A mean gradient over all training rows, bound to one model and one table version."""

    gradient: Gradient
    """Mean over all n rows that the model was trained on."""
    model_digest: str
    """Digest of the weights at which the gradient was taken."""
    dataset: str
    """The rows it was taken over, as uri@version."""


def retain_gradient(ledger: Ledger, forget: Gradient) -> Gradient:
    """The mean gradient over the retain set, without reading one retain row.

    Formula (our addition to the paper, exact up to rounding):
    ∇L_mean(retain) = (n ∇L_mean(all) - n_f ∇L_mean(forget)) / (n - n_f); the loss alike. It is
    computed as ∇L_mean(all) - n_f / (n - n_f) (∇L_mean(forget) - ∇L_mean(all)), which is the same.

    Raises:
        UnfitRowsError: n_f is 0, or not smaller than n.
        StaleLedgerError: ledger and forget gradient differ in parameter names or shapes.
        DivergenceError: the result is not finite.
    """
    whole = ledger.gradient
    n, n_f = whole.row_count, forget.row_count
    if not 0 < n_f < n:
        raise UnfitRowsError(
            f"The forget set has {n_f} rows and the ledger {n}; forget at least one row and keep "
            "at least one, else withdraw the model."
        )
    if _shapes(whole) != _shapes(forget):
        raise StaleLedgerError(f"The ledger holds other parameters than the model; {_REMEDY}")
    odds = n_f / (n - n_f)
    values = {
        name: torch.lerp(value, forget.values[name], -odds) for name, value in whole.values.items()
    }
    mean_loss = whole.mean_loss + odds * (whole.mean_loss - forget.mean_loss)
    return checked_gradient(Gradient(values=values, row_count=n - n_f, mean_loss=mean_loss))


def check_ledger(ledger: Ledger, *, model_digest: str, dataset: str) -> None:
    """Nothing, if the ledger belongs to this model and this table version.

    Raises:
        StaleLedgerError: it belongs to another one.
    """
    if ledger.model_digest != model_digest:
        raise StaleLedgerError(
            f"The ledger was taken at model {ledger.model_digest} and this is {model_digest}; "
            f"{_REMEDY}"
        )
    if ledger.dataset != dataset:
        raise StaleLedgerError(
            f"The ledger was taken over {ledger.dataset} and the rows are pinned in {dataset}; "
            f"{_REMEDY}"
        )


def ledger_tensors(ledger: Ledger) -> dict[str, Tensor]:
    """The ledger's tensors by parameter name, ready for a safetensors file."""
    return {name: value.detach().contiguous() for name, value in ledger.gradient.values.items()}


def ledger_metadata(ledger: Ledger) -> dict[str, str]:
    """Everything in the ledger that is not a tensor, as text that loses no digit."""
    return {
        "form": FORM,
        "model_digest": ledger.model_digest,
        "dataset": ledger.dataset,
        "row_count": str(ledger.gradient.row_count),
        "mean_loss": ledger.gradient.mean_loss.hex(),
    }


def ledger_from(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Ledger:
    """The ledger that `ledger_tensors` and `ledger_metadata` were made from.

    Raises:
        StaleLedgerError: the metadata is incomplete, unreadable or of another form.
        DivergenceError: a number is not finite.
    """
    if metadata.get("form") != FORM:
        raise StaleLedgerError(
            f"The stored ledger has form {metadata.get('form')!r} and this program reads {FORM!r}; "
            f"{_REMEDY}"
        )
    try:
        gradient = Gradient(
            values=dict(tensors),
            row_count=int(metadata["row_count"]),
            mean_loss=float.fromhex(metadata["mean_loss"]),
        )
        model_digest, dataset = metadata["model_digest"], metadata["dataset"]
    except (KeyError, ValueError, OverflowError) as error:
        raise StaleLedgerError(f"The stored ledger is incomplete ({error}); {_REMEDY}") from error
    return Ledger(gradient=checked_gradient(gradient), model_digest=model_digest, dataset=dataset)


def _shapes(gradient: Gradient) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in gradient.values.items()}
