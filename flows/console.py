"""What commands print with: words of people and names of files are shown, and never obeyed."""

from typing import Any

from rich.console import Console
from rich.text import Text


class Plain(Console):
    """A terminal to which every string is only text.

    Reasons, names and addresses come from anywhere. Here none of them is markup, a link, an emoji
    or an escape sequence; what is to be bold is a `Text`.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, markup=False, highlight=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """The string as text, with what would steer a terminal spelled out."""
        return super().render_str(shown(text), **options)


def shown(text: str) -> str:
    """The text with every character spelled out that would steer a terminal, or hide in it."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def command(before: str, *commands: str) -> Text:
    """A line with commands that somebody may type next, in bold."""
    parts: list[str | tuple[str, str]] = [shown(before), " "]
    for one in commands:
        parts += [(shown(one), "bold"), " or "]
    return Text.assemble(*parts[:-1])
