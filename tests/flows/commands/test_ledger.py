import pytest


@pytest.mark.integration
def test_a_model_that_is_not_enrolled_is_named(plain_terminal):
    said = " ".join(plain_terminal.expunge("ledger", "nobody", status=2).split())
    assert "Model 'nobody' is not enrolled" in said


@pytest.mark.integration
def test_without_a_model_there_is_no_ledger_to_compute(plain_terminal):
    plain_terminal.expunge("ledger")
