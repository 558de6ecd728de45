"""Each field of a certificate stands on the page about certificates, and no other one does."""

import ast
import re

import pytest
from docs.prose import ROOT
from erased_world import world  # noqa: F401 - a fixture

from tasks.journal.events.batches import ModelOutOfService

PAGE = (ROOT / "docs/reference/certificates.md").read_text()
FILES = [
    *(
        ROOT / f"tasks/certificates/{name}.py"
        for name in (
            "certificates",
            "certified_models",
            "certified_spellings",
            "certified_tables",
            "gate_words",
            "grounds",
            "models_not_asked",
            "outcomes",
        )
    ),
    ROOT / "tasks/enrolling/recipes/kept.py",
]
OF_PARTS = {
    *("request_id", "record_id", "subject_pseudonym", "subject_kind"),
    *("received_at", "due_on", "ground"),
    *("decision", "decided_by", "rows_seen", "subjects_seen", "kinds_seen", "seen_in"),
    "closed_by",
}
"""Names within one field, which the page tells in words."""


def on_page(heading: str = "") -> set[str]:
    """Fields in the first column below a heading, or below all of them."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0] if heading else PAGE
    cells = re.findall(r"^\| (`[^|]*`) \|", part, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def written() -> set[str]:
    """Names that the code gives to what it states."""
    trees = [ast.walk(ast.parse(path.read_text())) for path in FILES]
    nodes = [node for tree in trees for node in tree]
    keys = [key for node in nodes if isinstance(node, ast.Dict) for key in node.keys]
    keys += [n.slice for n in nodes if isinstance(n, ast.Subscript)]
    names = {k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)}
    return {name for name in names if re.fullmatch(r"[a-z0-9_]+", name)}


def test_every_name_that_the_code_states_stands_on_the_page():
    outcomes = {"erased", "not_found", "cannot_tell"}
    assert written() - on_page() - OF_PARTS - outcomes == set()


def test_every_field_of_the_page_is_stated_by_the_code():
    noted = set(ModelOutOfService.__dataclass_fields__)
    assert on_page() - written() - noted == set()


@pytest.mark.filterwarnings("ignore")
def test_the_certificate_of_an_erasure_has_no_other_fields(world):  # noqa: F811 - the fixture
    found = world.certificate("R-0")
    assert set(found) <= on_page("Fields")
    for heading, name in (("search", "tables_searched"), ("table", "tables"), ("model", "models")):
        (part,) = [one for one in found[name] if one.get("table") != world.holdout]
        assert set(part) <= on_page(f"Fields of a {heading}")
