"""The measured results, as the benchmarks wrote them."""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks"


def page() -> str:
    """The benchmarks' own page, without its title: the page that it is put into has one."""
    _, _, body = (FOLDER / "RESULTS.md").read_text().partition("\n")
    return body.strip()


def pictures() -> list[Path]:
    """The pictures that it shows."""
    return sorted((FOLDER / "results").glob("*.png"))
