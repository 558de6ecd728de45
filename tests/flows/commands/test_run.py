import sys

import pytest


@pytest.mark.usefixtures("home")
def test_with_nothing_new_a_run_starts_no_flow(expunge, monkeypatch):
    monkeypatch.setitem(sys.modules, "flows.process_deletions", None)
    said = expunge("run")
    assert said.status == 0
    assert "Nothing new in" in said.out
