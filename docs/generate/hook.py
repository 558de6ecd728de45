"""The hook of mkdocs: put what is made from code into the pages."""

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from docs.generate import results  # noqa: E402 - the checkout that is documented comes first
from docs.generate.pages import GENERATORS  # noqa: E402

MARK = re.compile(r"^(?:\*Made from the code:.*\n\n)?<!-- generate: ([a-z-]+) -->$", re.MULTILINE)
"""With the sentence for who reads the page unbuilt."""
ELSEWHERE = re.compile(r"https://[^\s\"'`/]+/(?:mermaid|resize-observer-polyfill)[^\s\"'`)]*")


def filled(markdown: str) -> str:
    """The page with every mark replaced by what its generator makes.

    Raises:
        KeyError: a mark names no generator.
    """
    return MARK.sub(lambda found: GENERATORS[found[1]](), markdown)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs with each page before it is rendered."""
    return filled(markdown)


def on_post_build(config: Any, **_: Any) -> None:
    """Called by mkdocs at the end: the theme's script could load two scripts from elsewhere.

    It would do so for diagrams and in very old browsers; here it names no other host at all.
    """
    for script in Path(config.site_dir).glob("assets/javascripts/bundle.*"):
        script.write_text(ELSEWHERE.sub("about:blank", script.read_text()))


def on_files(files: Any, config: Any) -> Any:
    """Called by mkdocs with all files: adds the pictures that the results show."""
    from mkdocs.structure.files import File

    for picture in results.pictures():
        place = f"results/results/{picture.name}"
        files.append(File.generated(config, place, abs_src_path=str(picture)))
    return files
