"""How a model is asked can be told apart by what it says."""

from tasks.journal.events.enrollment import DatasetSpec
from tasks.registry.opaque.asked import Asked


def test_it_is_confined_and_runs_in_our_python_unless_somebody_says_otherwise():
    asked = Asked("wages", DatasetSpec("file:///t", ("job",), "label", "subject_id"))
    assert (asked.python, asked.private, asked.trusted) == ("", (), False)
