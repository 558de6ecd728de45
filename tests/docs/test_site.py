import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs.prose import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The pages as `make docs` builds them."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def pages(site: Path) -> dict[str, str]:
    return {str(p.relative_to(site)): p.read_text() for p in site.rglob("*.html")}


def test_no_page_loads_anything_from_another_host(site):
    loads = re.compile(r"<(?!a\b)[a-z]+\b[^>]*\b(?:src|href|srcset)=[\"']?(?:https?:)?//[^\"'> ]*")
    found = {name: loads.findall(text) for name, text in pages(site).items()}
    assert len(found) > 30
    assert {name: urls for name, urls in found.items() if urls} == {}


def test_no_stylesheet_or_script_loads_anything_from_another_host(site):
    loads = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\"']*")
    scripts = re.compile(r"https?://[^\s\"'`]*\.(?:js|mjs|css|woff2?)\b")
    styles = {p: loads.findall(p.read_text()) for p in site.rglob("*.css")}
    bundles = {p: scripts.findall(p.read_text()) for p in site.glob("assets/javascripts/*.js")}
    assert styles
    assert bundles
    assert [found for found in (styles | bundles).values() if found] == []


def test_every_mark_of_a_generator_was_filled(site):
    assert [name for name, text in pages(site).items() if "generate:" in text] == []


def test_every_picture_of_a_page_is_there(site):
    missing = [
        f"{name}: {source}"
        for name, text in pages(site).items()
        for source in re.findall(r"<img[^>]*\bsrc=\"([^\"]+)\"", text)
        if not (site / name).parent.joinpath(source).is_file()
    ]
    assert missing == []
