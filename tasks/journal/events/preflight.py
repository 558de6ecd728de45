"""What a person is asked before a large batch."""

from dataclasses import dataclass

from unlearning.policy.approval import ModelPreflight


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a person is asked to approve; holds no subject id."""

    batch: str
    number: int
    """How many times the batch asked, this time included."""
    digest: str
    """Digest of the plans; an answer holds for these and for no others."""
    due_on: str
    """Earliest due date of the batch's requests."""
    models: tuple[ModelPreflight, ...]
    """Models that are served come first, in each half the largest share."""

    @property
    def reasons(self) -> list[str]:
        """Why the batch waits, one sentence for each model that is above its limits."""
        return [m.reason for m in self.models if m.reason]
