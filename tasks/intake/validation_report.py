"""The validation report: one self-contained page of counts and reasons, without subject ids."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment

from tasks.journal import journal
from unlearning.policy.deletion import STATUS_MEANING, Disposition, count_outcomes

_TEMPLATE = Path(__file__).with_name("validation_report.html")
_LISTED = 500


def render_report(batch: str, judged: Sequence[Disposition]) -> str:
    """The page as HTML; rows other than accepted ones are listed up to a limit, then counted."""
    reasons = Counter((d.outcome, d.reason) for d in judged)
    others = [d for d in judged if d.outcome != "accepted"]
    template = Environment(autoescape=True).from_string(_TEMPLATE.read_text())
    return template.render(
        batch=batch,
        made_at=journal.now().isoformat(timespec="seconds"),
        total=len(judged),
        counts=count_outcomes(judged),
        meaning=STATUS_MEANING,
        reasons=sorted(reasons.items(), key=lambda item: (item[0][0], -item[1])),
        rows=others[:_LISTED],
        unlisted=max(0, len(others) - _LISTED),
    )
