"""The gate: may the candidate take the original's place?

Forgetting is judged two-sided, on the attack that catches the original best, with limits fixed by
the original and the number of rows (see `unlearning.evaluation.forgetting`): no candidate can move
its own limits. Missing or broken evidence of forgetting never passes for good evidence, and
evidence too weak to catch rows that are wholly remembered is "cannot decide", unless it is bounded
how little these rows give away at all (see `unlearning.gate.nothing_left`). A loss of accuracy
counts as far as chance cannot explain it, and how large a one chance could hide has a limit too: on
too few rows no update passes for harmless. An exact retrain does pass there: no other way is left
to forget with the model in service, so what too few rows could not show is named, and holds up
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import Evidence, Outcome
from unlearning.gate.completeness import completeness
from unlearning.gate.gate_checks import Check, check
from unlearning.gate.gate_forgetting import WEAK_EVIDENCE, forgetting_checks
from unlearning.gate.gate_utility import LOST, TOO_FEW, utility_checks
from unlearning.gate.nothing_left import NOTHING_LEFT

_MEASURED = "candidate_measured"


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The outcome of all checks."""

    passed: bool
    checks: tuple[Check, ...]
    outcome: Outcome
    """What the evidence says of the forget rows."""

    @property
    def failed_names(self) -> tuple[str, ...]:
        """Names of the checks that failed, in order."""
        return tuple(check.name for check in self.checks if not check.passed)

    @property
    def failed_words(self) -> tuple[str, ...]:
        """What each check that failed means, as a part of a sentence, in order."""
        return tuple(check.in_words for check in self.checks if not check.passed)

    @property
    def lost_utility(self) -> bool:
        """Whether a check of utility failed."""
        return bool(LOST & set(self.failed_names))

    @property
    def has_too_few_rows(self) -> bool:
        """Whether utility was measured on too few rows to see a loss that matters."""
        return bool(TOO_FEW & set(self.failed_names))

    @property
    def lacks_rows(self) -> bool:
        """Whether all that failed did so for want of rows or evidence, which more rows may mend."""
        return set(self.failed_names) <= TOO_FEW | WEAK_EVIDENCE | {_MEASURED}

    @property
    def not_shown(self) -> tuple[str, ...]:
        """Names of the checks that failed for want of rows or evidence and were tolerated."""
        return self.failed_names if self.passed else ()

    @property
    def is_measured(self) -> bool:
        """Whether there was a candidate with evidence to judge."""
        return _MEASURED not in self.failed_names

    @property
    def why(self) -> str:
        """Outcome and what failed, in words, or what kept the candidate from being judged."""
        if not self.is_measured:
            return self.checks[0].meaning
        return f"{self.outcome}: {'; '.join(self.failed_words)}"


def no_candidate(reason: str) -> GateDecision:
    """The decision where no candidate could be made or measured: nothing passes on no evidence.

    Args:
        reason: Why, in one sentence.
    """
    return GateDecision(
        passed=False, checks=(check(_MEASURED, None, meaning=reason),), outcome="cannot decide"
    )


def decide(evidence: Evidence, policy: GatePolicy, *, exact: bool = False) -> GateDecision:
    """The decision on a candidate, with every check named.

    Our choice of checks; all must pass, but for those of weak evidence where nothing is left to see
    or the policy accepts an undecided candidate, and those of too few rows after an exact retrain.
    A better candidate (higher retain, holdout or class accuracy, lower forget accuracy, or an AUC
    nearer to 0.5 on the same side) never fails where a worse one passed.

    Args:
        evidence: What was measured.
        policy: The limits; each is inclusive.
        exact: The candidate was trained anew on the retain set alone: it cannot remember rows that
            it never saw, so that only its evidence and its utility are judged, the latter by
            wider limits, since two trainings differ by chance.
    """
    checks = (*completeness(evidence), *utility_checks(evidence, policy, exact=exact))
    if not exact:
        checks += forgetting_checks(evidence, policy)
    failed = {check.name for check in checks if not check.passed}
    outcome = _outcome(checks, failed, exact=exact)
    accepts = policy.undecided == "accept" or outcome == "nothing left to see"
    tolerated = WEAK_EVIDENCE if accepts else frozenset[str]()
    if exact:  # a number that is missing is no number of few rows
        tolerated |= TOO_FEW & {check.name for check in checks if check.value is not None}
    return GateDecision(not failed - tolerated, checks, outcome)


def _outcome(checks: Sequence[Check], failed: set[str], *, exact: bool) -> Outcome:
    if "evidence_complete" in failed or "same_rows" in failed:
        return "cannot decide"
    if exact:
        return "forgotten"
    traces = {"mia_auc_upper", "pooled_mia_auc_upper", "own_rows_moved", "accuracy_advantage"}
    if failed & traces:
        return "remembered"
    if failed & {"mia_auc_lower", "pooled_mia_auc_lower"}:
        return "over-forgotten"
    if {check.name for check in checks if check.passed} >= NOTHING_LEFT:
        return "nothing left to see"
    return "cannot decide" if failed & WEAK_EVIDENCE else "forgotten"
