import re

from docs.prose import ROOT

from docs.generate.rooms import with_rooms

TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def test_the_rooms_are_those_of_the_packages():
    """If not: `python -m docs.generate.rooms` writes them anew."""
    assert TEXT.count("| `tasks/") + TEXT.count("| `unlearning/") > 20
    assert with_rooms(TEXT) == TEXT


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
