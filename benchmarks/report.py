"""Tables and plots of measured results."""

from pathlib import Path


def write_report(results: Path) -> Path:
    """Write RESULTS.md."""
    return results
