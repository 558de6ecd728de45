import ast
import re

from docs.prose import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def test_the_rooms_are_those_of_the_packages():
    named = dict(re.findall(r"^\| `((?:tasks|unlearning)/\w+)` \| (.+) \|$", TEXT, re.MULTILINE))
    rooms = {
        str(file.parent.relative_to(ROOT)): ast.get_docstring(ast.parse(file.read_text())) or ""
        for top in ("tasks", "unlearning")
        for file in (ROOT / top).glob("*/__init__.py")
    }
    assert set(named) == set(rooms)
    assert {
        n: d for n, d in rooms.items() if " ".join(d.split("\n\n")[0].split()) != named[n]
    } == {}


def test_the_reading_order_is_five_files_of_under_500_lines():
    order = re.findall(r"^\d\. `([\w/]+\.py)`", TEXT, re.MULTILINE)
    lines = {name: len((ROOT / name).read_text().splitlines()) for name in order}
    assert len(lines) == 5
    assert sum(lines.values()) < 500, lines


def test_every_make_target_that_the_pages_name_exists():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test", "docs"} <= named
    assert named - targets == set()
