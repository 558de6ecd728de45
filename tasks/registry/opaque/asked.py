"""How a model of another library than torch is asked; who only names it need not wait for torch."""

from dataclasses import dataclass
from pathlib import Path

from tasks.environment.settings import Settings
from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.registry.confined.places import private_places


@dataclass(frozen=True, slots=True)
class Asked:
    """How a registered model is asked."""

    model: str
    """Its name."""
    spec: DatasetSpec
    """How its rows lie in the table."""
    python: str = ""
    """The Python that has its library; the one that runs expunge if empty."""
    private: tuple[Path, ...] = ()
    """What its code must not read."""
    trusted: bool = False
    """Whether it may run where the machine cannot confine it."""


def asked_of(settings: Settings, enrollment: Enrollment) -> Asked:
    """How an enrolled model of another library than torch is asked."""
    return Asked(
        enrollment.model,
        enrollment.dataset,
        enrollment.recipe_python,
        tuple(private_places(settings, enrollment.places)),
        enrollment.trust_pickle,
    )
