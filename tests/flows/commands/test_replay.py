import pytest


@pytest.mark.integration
def test_where_nobody_was_erased_nobody_is_back(plain_terminal):
    assert "Nobody who was erased is back." in plain_terminal.expunge("replay")
    assert plain_terminal.status()["requests"] == []
