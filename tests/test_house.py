"""The rules of the house, read off the files: sizes, rooms, one place for every event's name."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("flows", "tasks", "unlearning")
SOURCES = sorted(p for package in PACKAGES for p in (PROJECT / package).rglob("*.py"))
EVENTS = PROJECT / "tasks" / "journal" / "events"
LONGEST_FILE, LONGEST_BODY = 250, 40
MOST_ROOMS = 18
RAW_FACTS = re.compile(r"\bfacts(\[\"|\.get\()|\b(e|event|head|last)\.name (==|!=|in|not in) ")
BUILT_IDS = re.compile(r"""f"\{[\w.]+\}/[a-z-]+(/|")|\.(ends|starts)with\("/?[a-z]+/""")


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def functions(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(node) -> int:
    """Lines of a function after its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_is_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_function_fits_on_a_screen(path):
    long = {n.name: body_lines(n) for n in functions(path) if body_lines(n) > LONGEST_BODY}
    assert long == {}


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name != "__init__.py"], ids=name_of)
def test_every_source_file_has_a_test_of_its_name(path):
    relative = path.relative_to(PROJECT)
    assert (PROJECT / "tests" / relative.parent / f"test_{path.name}").exists()


@pytest.mark.parametrize("package", ["tasks", "unlearning"])
def test_every_room_says_what_it_is_for(package):
    for room in sorted((PROJECT / package).iterdir()):
        if room.is_dir() and (room / "__init__.py").exists():
            text = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
            assert text, room.name
            assert text.count(".") >= 2, f"{room.name}: a sentence is no paragraph"


def test_a_person_can_keep_the_rooms_in_mind():
    found = [p for p in (PROJECT / "tasks").iterdir() if p.suffix == ".py" or p.is_dir()]
    rooms = [p.name for p in found if p.name not in ("__init__.py", "__pycache__")]
    assert len(rooms) <= MOST_ROOMS


def event_names() -> set[str]:
    from tasks.journal.events.catalog import FACTS

    return {kind.__name__ for kinds in FACTS.values() for kind in kinds}


def strings(path: Path):
    """Every constant of a file that is neither a docstring nor the name of a type."""
    tree = ast.parse(path.read_text())
    docs = {
        id(first.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        for first in node.body[:1]
        if isinstance(first, ast.Expr) and ast.get_docstring(node) is not None
    }
    types = {
        id(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "cast"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docs | types:
            yield node.value


@pytest.mark.parametrize("path", [p for p in SOURCES if EVENTS not in p.parents], ids=name_of)
def test_events_and_their_facts_are_never_named_by_strings(path):
    assert event_names().isdisjoint(strings(path))
    assert not RAW_FACTS.search(path.read_text())
    if path.is_relative_to(PROJECT / "tasks"):
        assert not BUILT_IDS.search(path.read_text()), "ids are made in tasks/journal/events"


def test_what_people_wrote_is_printed_as_text_alone():
    others = [path for path in SOURCES if name_of(path) != "flows/console.py"]
    obeying = re.compile(r"\bConsole\(|rich\.(console|markup)")
    assert not [name_of(path) for path in others if obeying.search(path.read_text())]


def test_no_package_hides_behind_the_tests():
    assert not list((PROJECT / "tests").rglob("__init__.py"))


def test_no_file_says_nothing_by_its_name():
    empty = re.compile(r"(utils?|helpers?|common|misc)\.py$")
    assert not [
        name_of(p) for p in PROJECT.rglob("*.py") if ".venv" not in p.parts and empty.search(p.name)
    ]
