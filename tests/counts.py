"""How much property tests and fuzzing really tried, said at the end of every run of the tests.

Hypothesis gives each test's examples; a test may add counts of its own with `record_property`.
"""

import re
from collections import Counter, defaultdict

import pytest

_TRIED = "tried "


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "teardown" and hasattr(item, "hypothesis_statistics"):
        # Properties travel from the workers of pytest-xdist to whoever writes the summary.
        found = re.findall(r"(\d+) passing", item.hypothesis_statistics)
        report.user_properties.append((f"{_TRIED}examples", sum(map(int, found))))
    return report


def pytest_terminal_summary(terminalreporter):
    counts = defaultdict(Counter)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                for name, count in report.user_properties:
                    if name.startswith(_TRIED):
                        counts[report.nodeid.partition("::")[0]][name.removeprefix(_TRIED)] += count
    if counts:
        terminalreporter.section("what property tests tried")
        for file, found in sorted(counts.items()):
            tried = ", ".join(f"{count:,} {name}" for name, count in sorted(found.items()))
            terminalreporter.write_line(f"{file}: {tried}")
