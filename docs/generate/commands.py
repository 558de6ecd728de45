"""The commands, by the documentation generator of the library that reads them."""

from flows.cli import app


def page() -> str:
    """Every command with its arguments, one below the other."""
    return app.generate_docs(output_format="markdown", heading_level=2)
