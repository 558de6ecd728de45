"""One attempt to unlearn a batch from a model, and the ids of its events."""

import re
from dataclasses import asdict, dataclass, fields, replace
from datetime import date

from unlearning.policy.digests import SHORT, bytes_digest, facts_digest
from unlearning.policy.few_people import FEW
from unlearning.policy.ladder import Rung

_EFFECT = re.compile(r"(a-[A-Za-z0-9-]+)/registered")
"""Anybody with access to the registry can set the tag: nothing else becomes part of a key."""


@dataclass(frozen=True, slots=True)
class AttemptIds:
    """Ids of an attempt's events: the same attempt makes each effect once, whoever runs it."""

    key: str

    @classmethod
    def behind(cls, effect: str) -> "AttemptIds | None":
        """Those of the attempt that registered a version under this effect; None if none did."""
        found = _EFFECT.fullmatch(effect)
        return cls(found[1]) if found else None

    @property
    def candidate(self) -> str:
        """Where its candidate's weights lie in the store."""
        return f"candidates/{self.key}.safetensors"

    @property
    def checkpoint(self) -> str:
        """Where the state of its training lies in the store."""
        return f"checkpoints/{self.key}.safetensors"

    @property
    def curves(self) -> str:
        """Where its curves lie in the store."""
        return f"curves/{self.key}.json"

    @property
    def planned(self) -> str:
        """It was planned for the first time."""
        return f"{self.key}/planned"

    def planned_again(self, number: int) -> str:
        """Its plan came back, for the `number`th time after the first."""
        return f"{self.planned}/{number + 1}" if number else self.planned

    @property
    def unlearned(self) -> str:
        """Its candidate was made."""
        return f"{self.key}/unlearned"

    @property
    def evaluated(self) -> str:
        """Its candidate was measured."""
        return f"{self.key}/evaluated"

    @property
    def judged(self) -> str:
        """The gate decided."""
        return f"{self.key}/judged"

    @property
    def registered(self) -> str:
        """Its candidate is a model version; also the effect's tag in the registry."""
        return f"{self.key}/registered"

    @property
    def promoted(self) -> str:
        """That version holds the serving alias."""
        return f"{self.key}/promoted"

    @property
    def withdrawn(self) -> str:
        """The parent lost the serving alias."""
        return f"{self.key}/withdrawn"

    @property
    def blocked(self) -> str:
        """The batch waits because of it."""
        return f"{self.key}/blocked"

    @property
    def measured(self) -> str:
        """Its measures stand in the model's stream."""
        return f"{self.key}/measured"

    @property
    def timed(self) -> str:
        """Its retrain was timed."""
        return f"{self.key}/timed"

    def called(self, day: date) -> str:
        """People were called about it on this day."""
        return f"{self.key}/called/{day}"

    def chosen(self, rung: Rung) -> str:
        """This rung was chosen after it."""
        return f"{self.key}/next/{rung}"

    def failed(self, reason: str) -> str:
        """A part of it cannot be done, for this reason."""
        return f"{self.key}/failed/{bytes_digest(reason.encode())[:SHORT]}"

    def out_of_memory(self, part: str) -> str:
        """Memory ran out in this part of it."""
        return f"{self.key}/memory/{part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPlan:
    """What is unlearned from what, and how."""

    batch: str
    model: str
    parent_version: int
    parent_digest: str
    dataset: str
    dataset_version: int
    holdout_version: int
    row_count: int
    forget_count: int
    forget_digest: str
    config_digest: str
    method: str
    reason: str = ""
    """Why it is not simply the enrolment's update; empty if it is."""
    rung: Rung = "update"
    """Rung of the ladder (see `unlearning.policy.ladder`)."""
    subject_count: int | None = None
    """How many people the forget rows are of; None in plans of older releases."""
    class_share: float | None = None
    """Share of its training rows that the class hit hardest loses; None if every class is small, or
    if the enrolment's method is a retrain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(AttemptPlan):
    """A plan with its key, which names its effects for ever."""

    key: str

    @classmethod
    def of(cls, plan: AttemptPlan) -> "Attempt":
        """The attempt of this plan; equal plans are one attempt."""
        facts = asdict(plan)
        return cls(key=f"a-{facts_digest(facts)[:SHORT]}", **facts)

    @property
    def ids(self) -> AttemptIds:
        """Ids of its events."""
        return AttemptIds(self.key)

    def by(self, method: str, *, rung: Rung, reason: str) -> "Attempt":
        """The attempt on another rung: the same rows, unlearned in another way."""
        plan = AttemptPlan(
            **{field.name: getattr(self, field.name) for field in fields(AttemptPlan)}
        )
        return Attempt.of(replace(plan, method=method, rung=rung, reason=reason))

    @property
    def is_of_few(self) -> bool:
        """Whether so few people are forgotten that a measure would describe one of them."""
        count = self.forget_count if self.subject_count is None else self.subject_count
        return count < FEW

    @property
    def plan_digest(self) -> str:
        """Digest of what is forgotten by what, the same on every rung of the ladder.

        Who approves a plan approves the whole ladder: the next rung must not wait for another
        answer, nor must a try that is judged on another holdout.
        """
        aside = ("key", "rung", "method", "reason", "class_share", "holdout_version")
        return facts_digest({k: v for k, v in asdict(self).items() if k not in aside})

    def forgets_as(self, other: "Attempt") -> bool:
        """Whether both make the same parent forget the same rows."""
        same = (self.model, self.parent_digest, self.forget_digest)
        return same == (other.model, other.parent_digest, other.forget_digest)
