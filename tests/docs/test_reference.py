"""Reference pages say what the code says, and pages name only what there is."""

import re
from dataclasses import fields, is_dataclass
from typing import get_type_hints

import pytest
from docs.prose import ROOT
from sample_evidence import attacked, few

from docs.generate.hook import MARK, filled
from docs.generate.pages import GENERATORS
from flows.cli import COMMANDS
from flows.commands.options import EnrollOptions, TrainOptions
from tasks.environment.settings import Settings
from tasks.report.check_answers import answer_of
from unlearning.config.gate_policy import GatePolicy
from unlearning.gate.gate import decide
from unlearning.methods.catalog import METHODS
from unlearning.policy.deletion import STATUS_MEANING

PAGES = sorted((ROOT / "docs").rglob("*.md"))


def option_names(owner: type, prefix: str = "") -> set[str]:
    """Dotted names of every option, and of the tables that they stand in."""
    found: set[str] = set()
    for option in fields(owner):
        kind = get_type_hints(owner)[option.name]
        found.add(prefix + option.name)
        if isinstance(kind, type) and is_dataclass(kind):
            found |= option_names(kind, f"{prefix}{option.name}.")
    return found


OPTIONS = option_names(EnrollOptions) | option_names(TrainOptions)


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_every_table_made_from_code_is_on_exactly_one_page(name):
    pages = [page.name for page in PAGES if name in MARK.findall(page.read_text())]
    assert len(pages) == 1


def test_a_mark_that_names_no_table_is_an_error():
    with pytest.raises(KeyError):
        filled("<!-- generate: nothing -->")


def test_every_command_is_explained():
    page = GENERATORS["commands"]()
    assert [name for name in COMMANDS if f"## expunge {name}\n" not in page] == []


def test_every_option_of_a_model_is_explained():
    page = GENERATORS["options"]()
    leaves = {name for name in OPTIONS if not any(o.startswith(f"{name}.") for o in OPTIONS)}
    assert [o for o in leaves if f"| `{o.rpartition('.')[2]}` |" not in page] == []
    tables = OPTIONS - leaves
    assert [name for name in tables if f"## `[{name}]`" not in page] == []


def test_pages_name_only_options_that_there_are():
    pattern = re.compile(r"`((?:policy|budget|approval|unlearning|training)\.[a-z_.]+)\b[^`/]*`")
    named = {(p.name, name) for p in PAGES for name in pattern.findall(p.read_text())}
    assert len(named) > 20
    assert {one for one in named if one[1] not in OPTIONS and not one[1].endswith(".py")} == set()


def test_every_setting_is_explained():
    page = GENERATORS["settings"]()
    names = [f"EXPUNGE_{name.upper()}" for name in Settings.model_fields]
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_pages_name_only_settings_that_there_are():
    pages = [ROOT / "README.md", *PAGES]
    named = {name for p in pages for name in re.findall(r"EXPUNGE_[A-Z0-9_]+", p.read_text())}
    known = {f"EXPUNGE_{name.upper()}" for name in Settings.model_fields}
    assert named - known == {"EXPUNGE_"} - {"EXPUNGE_"}


def test_every_method_is_explained():
    page = GENERATORS["methods"]()
    assert [name for name in METHODS if f"| `{name}`" not in page] == []
    assert len(METHODS) == 12  # the changelog says so


def test_every_check_of_the_gate_is_explained():
    page = GENERATORS["checks"]()
    for evidence in (attacked(0.5), attacked(0.6), few(1), few(12)):
        for check in decide(evidence, GatePolicy()).checks:
            assert f"| `{check.name}` | {answer_of(check, None).question} |" in page


def test_the_readme_and_the_guide_explain_every_status():
    for name in ("README.md", "docs/how-to/requests.md"):
        rows = re.findall(r"^\| `(\w+)` \|", (ROOT / name).read_text(), re.MULTILINE)
        assert set(STATUS_MEANING) <= set(rows)


def test_every_word_names_rooms_that_there_are():
    text = (ROOT / "docs/reference/words.md").read_text()
    rooms = re.findall(r"`((?:tasks|unlearning)/\w+)`", text)
    assert len(rooms) > 30
    assert [room for room in rooms if not (ROOT / room).is_dir()] == []
