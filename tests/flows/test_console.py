"""The terminal shows what people wrote, letter by letter, and obeys none of it."""

import pytest
from rich.table import Table

from flows.console import Plain, command, shown

NASTY = [
    "wrong table [/s3/lake/export]",
    "[link=https://x.example]press[/link]",
    "[bold]x",
    ":smile:",
]


@pytest.mark.parametrize("text", NASTY)
def test_markup_is_text_wherever_it_stands(text):
    console, table = Plain(width=200), Table(text, title=text, caption=text)
    table.add_row(text)
    with console.capture() as capture:
        console.print(text)
        console.print(table)
        console.print(command(text, text))
    assert capture.get().count(text) == 7


def test_nothing_steers_the_terminal():
    console = Plain(width=200)
    with console.capture() as capture:
        console.print("a\x1b[31mb\x07\u202ec\nd")
    assert capture.get() == "a\\x1b[31mb\\x07\\u202ec\nd\n"
    assert shown("Köln, 日本") == "Köln, 日本"


def test_commands_follow_what_is_said():
    assert command("Next:", "expunge a", "expunge b").plain == "Next: expunge a or expunge b"
