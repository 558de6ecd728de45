"""The settings: every variable EXPUNGE_* with its default and meaning."""

from docs.generate.tables import code, field_docs, table
from tasks.environment.settings import PREFIX, Settings


def page() -> str:
    """One line for each variable."""
    docs = field_docs(Settings)
    rows = [
        (code(f"{PREFIX}{name.upper()}"), _default(field.default), docs[name])
        for name, field in Settings.model_fields.items()
    ]
    return table(("variable", "default", "meaning"), rows)


def _default(value: object) -> str:
    return "see there" if value in (None, "") else code(value)
