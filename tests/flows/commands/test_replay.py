import pytest
from deltalake import write_deltalake
from small_tables import rows

from flows.commands.replay import _say_who_waits
from flows.console import Plain


@pytest.mark.integration
def test_where_nobody_was_erased_nobody_is_back(plain_terminal):
    assert "Nobody who was erased is back." in plain_terminal.expunge("replay")
    assert plain_terminal.status()["requests"] == []


@pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of themselves
def test_new_rows_that_wait_are_counted_and_what_to_type_is_said(world, capsys):
    assert _say_who_waits(Plain(width=300), world.services) == 0
    assert capsys.readouterr().out == ""
    write_deltalake(world.table, rows(1, first=3, seed=77), mode="append")
    world.replay()
    assert _say_who_waits(Plain(width=300), world.services) == 1
    printed = capsys.readouterr().out
    assert "1 erased subject has new rows, which nobody asked to erase" in printed
    for choice in ("erase-again", "reinstate"):
        assert f"expunge {choice} PSEUDONYM --by NAME --reason TEXT" in printed
