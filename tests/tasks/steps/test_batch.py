import pytest
from factories import frozen

from tasks import steps
from tasks.journal.events.catalog import batch_stream
from tasks.journal.reading import read_batch
from tasks.steps.process import services
from unlearning.errors import ConflictError, DataError


def test_a_batch_that_nobody_asks_about_has_no_question(home):
    assert steps.describe_question.fn("b-0") == ""


def test_an_answer_to_a_batch_that_does_not_wait_is_refused(home):
    with pytest.raises(DataError, match="no batch"):
        steps.record_answer.fn("b-0", "approve", "Ada", "")
    services().journal.append(batch_stream("b-1"), "frozen", frozen())
    with pytest.raises(ConflictError, match="does not wait"):
        steps.record_answer.fn("b-1", "approve", "Ada", "")
    assert read_batch(services().journal, "b-1").answers == []


def test_rows_are_looked_for_in_the_tables_of_enrolled_models_only(home):
    with pytest.raises(DataError, match="No model is enrolled"):
        steps.resolve_rows.fn("b-1")
