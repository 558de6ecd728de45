"""The commands, by the documentation generator of the library that reads them."""

from flows.cli import command_line


def page() -> str:
    """Every command with its arguments, one below the other."""
    text = command_line().generate_docs(output_format="markdown", heading_level=1)
    return "## " + text.partition("\n## ")[2].partition("\n## ")[2]
