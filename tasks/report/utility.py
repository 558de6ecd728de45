"""What the erasure report says of usefulness: by set, by class and by slice, with its doubt."""

from dataclasses import dataclass

from tasks.report.shares import points
from unlearning.evidence.evidence import Evidence
from unlearning.evidence.utility_report import Change, GroupUtility, SetUtility

_SETS = {"holdout": "rows it never saw", "retain": "rows that stay"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilityLine:
    """One line of the table: right answers in a hundred, before and after."""

    name: str
    rows: int
    before: float
    after: float
    lower: float
    """Ends of the 95 % interval of the change, in points of a hundred; the next alike."""
    upper: float

    @property
    def is_loss(self) -> bool:
        """Whether chance alone does not explain that it is lower."""
        return self.upper < 0


def utility_lines(evidence: Evidence) -> list[UtilityLine]:
    """All sets, then classes and slices of unseen rows; empty if none were measured."""
    if evidence.utility is None:
        return []
    sets: dict[str, SetUtility] = {name: getattr(evidence.utility, name) for name in _SETS}
    whole = [_line(f"All {_SETS[name]}", one.rows, one.accuracy) for name, one in sets.items()]
    groups = sets["holdout"].groups
    if evidence.holdout_error is not None:  # all rows are of one class
        groups = tuple(one for one in groups if one.column != "class")
    return whole + [_line(_name(g), g.rows, g.accuracy) for g in groups]


def utility_sentences(evidence: Evidence) -> list[str]:
    """What a table of right answers leaves out, and which answers of a number are right."""
    if evidence.utility is None:
        return []
    unseen, said = evidence.utility.holdout, _of_numbers(evidence)
    said.append(
        f"It answers otherwise than before on {points(unseen.churn)} in 100 rows that it never "
        f"saw, {points(unseen.newly_wrong)} of them newly wrong."
    )
    if unseen.auroc is not None:
        said.append(
            f"Area under the ROC curve on such rows: {unseen.auroc.before:.3f} before, "
            f"{unseen.auroc.after:.3f} after (change {unseen.auroc.lower:+.3f} to "
            f"{unseen.auroc.upper:+.3f})."
        )
    if unseen.small_groups:
        said.append(
            f"{unseen.small_groups} classes or slices have too few rows to be shown without "
            "pointing at people."
        )
    return said


def _line(name: str, rows: int, accuracy: Change) -> UtilityLine:
    return UtilityLine(
        name=name,
        rows=rows,
        before=100 * accuracy.before,
        after=100 * accuracy.after,
        lower=100 * accuracy.lower,
        upper=100 * accuracy.upper,
    )


def _name(group: GroupUtility) -> str:
    return f"{group.column.replace('_', ' ').capitalize()} {group.value}"


def _of_numbers(evidence: Evidence) -> list[str]:
    error = evidence.holdout_error
    if error is None:
        return []
    right = (
        f"The model predicts a number. An answer less than {error.tolerance:.4g} off counts as "
        "right; about half of the unseen rows were so when it was enrolled."
    )
    root = (
        f"Root of the mean squared error on rows that it never saw: {error.before_root:.4g} "
        f"before, {error.after_root:.4g} after."
    )
    return [right, root]
