import re

import pytest
from docs.prose import ROOT

FILES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


@pytest.mark.parametrize("name", FILES)
def test_links_of_the_pages_outside_the_site_lead_somewhere(name):
    """Those within `docs/` are the strict build's affair."""
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text())
    assert [t for t in targets if not (ROOT / t).exists()] == []


def test_files_that_the_pages_name_are_there():
    pattern = re.compile(r"`((?:flows|tasks|unlearning|tests|infra|benchmarks)/[\w/.-]+)`")
    pages = [*(ROOT / name for name in FILES), *(ROOT / "docs").rglob("*.md")]
    named = {(p.name, path) for p in pages for path in pattern.findall(p.read_text())}
    assert len(named) > 40
    assert sorted(one for one in named if not (ROOT / one[1]).exists()) == []
