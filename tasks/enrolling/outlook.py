"""What can be done to a model that is enrolled: rungs, evidence, and what requests would end in."""

from dataclasses import dataclass, replace

from torch import nn

from tasks.enrolling.source import ModelSource
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import read_enrollment, read_model
from tasks.registry import model_files
from tasks.registry.services import Services
from tasks.tables.delta import open_table
from unlearning.attacks.power import expected_power
from unlearning.evaluation.canaries import LEAST_CANARIES
from unlearning.evidence.attack_power import AttackPower
from unlearning.methods.retrain import retrain_obstacle
from unlearning.model.form import ModelForm, model_form
from unlearning.policy.budget import RETRAIN, is_exact
from unlearning.policy.prospects import Prospect, prospect

REFERENCES = "reference models"
ROWS = (1, 10, 100)
"""Sizes of the requests that are looked ahead to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Available:
    """A rung or a kind of evidence, and whether there is one for this model."""

    name: str
    said: str
    """What it is here."""
    why_not: str = ""
    """Why there is none, in one sentence; empty if there is."""
    seconds: float | None = None
    """About how long it takes; None if nothing tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a model is made of, and what that allows."""

    form: ModelForm
    rungs: tuple[Available, ...]
    evidence: tuple[Available, ...]
    prospects: tuple[Prospect, ...]
    advice: tuple[str, ...]
    """What would help where something is missing, each in one sentence."""


def enrolled_outlook(services: Services, model: str) -> Outlook:
    """The outlook of a model as it is enrolled, with what was measured then."""
    enrollment = read_enrollment(services.journal, model)
    loaded = model_files.load_enrolled(services, enrollment, enrollment.version)
    power = read_model(services.journal, model).power
    return outlook(services, loaded.module, enrollment, power)


def outlook(
    services: Services,
    module: nn.Module,
    source: ModelSource | Enrollment,
    power: AttackPower | None,
) -> Outlook:
    """What the model's form, its gate and its holdout allow.

    Cost: a copy of the model, and the log of the holdout table.
    """
    form, obstacle = model_form(module), "" if source.recipe else retrain_obstacle(module)
    method, policy = source.unlearning.method, source.policy
    return Outlook(
        form=form,
        rungs=tuple(_rungs(source, obstacle)),
        evidence=(
            _references(source, obstacle),
            _canaries(services, source),
            _attack(power),
        ),
        prospects=tuple(
            prospect(
                rows,
                None if power is None else expected_power(power, rows, policy),
                method=method,
                policy=policy,
                obstacle=obstacle,
                auc=None if power is None else power.auc,
            )
            for rows in ROWS
        ),
        advice=tuple(_advice(form, obstacle)),
    )


def with_seconds(found: Outlook, seconds: dict[str, float]) -> Outlook:
    """The outlook with the time that each rung and kind of evidence takes, by its name."""

    def timed(one: Available) -> Available:
        return one if one.why_not else replace(one, seconds=seconds.get(one.name))

    rungs, evidence = tuple(map(timed, found.rungs)), tuple(map(timed, found.evidence))
    return replace(found, rungs=rungs, evidence=evidence)


def _rungs(source: ModelSource | Enrollment, obstacle: str) -> list[Available]:
    method = source.unlearning.method
    exact, how = is_exact(method), "by its owner's recipe" if source.recipe else "fresh weights"
    none = "Every request is met by a retrain, which owes nothing to an update." if exact else ""
    return [
        Available(name="update", said="" if exact else method, why_not=none),
        Available(name="stronger update", said="" if exact else "calibrated", why_not=none),
        Available(name=RETRAIN, said=f"{how}, without the rows", why_not=obstacle),
    ]


def _references(source: ModelSource | Enrollment, obstacle: str) -> Available:
    count = source.policy.references
    none = "" if count else "The policy wants none (policy.references is 0)."
    return Available(
        name=REFERENCES,
        said=f"{count} models trained on at most {source.policy.reference_rows} holdout rows",
        why_not=none or obstacle,
    )


def _canaries(services: Services, source: ModelSource | Enrollment) -> Available:
    why_not = ""
    if is_exact(source.unlearning.method):
        why_not = "A retrain needs none."
    else:
        rows = open_table(services.settings, source.holdout).count()
        unread = min(rows // 2, source.unlearning.holdout_sample)
        if unread // 4 < LEAST_CANARIES:
            why_not = (
                f"A quarter of about {unread} holdout rows that nothing reads may be canaries, and "
                f"{LEAST_CANARIES} are needed; have {8 * LEAST_CANARIES} holdout rows or more."
            )
    said = "holdout rows, learned and unlearned again"
    return Available(name="canaries", said=said, why_not=why_not)


def _attack(power: AttackPower | None) -> Available:
    if power is None:
        return Available(name="attack", said="by the loss alone; not tried yet")
    return Available(
        name="attack",
        said=f"{power.attack}: tells a training row from an unseen one {power.auc:.0%} of the time",
    )


def _advice(form: ModelForm, obstacle: str) -> list[str]:
    if not obstacle or form.form == "opaque":  # its retrain says what is missing
        return []
    if form.form == "exported" and form.mode_layers:
        lost = " and ".join(form.mode_layers)
        said = (
            f"It cannot be retrained: it was exported, and its {lost} lost the mode of training; "
            "give your own training code with --recipe FILE, or log it again with "
            "serialization_format='pickle' and enrol it with --trust-pickle."
        )
        return [said]
    return [f"It cannot be retrained. {obstacle}"]
