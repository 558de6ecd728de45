import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def drive(*arguments: str, seconds: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "matrix.driver", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_run_killed_at_some_points_is_finished_by_the_next(tmp_path):
    assert "all invariants true" in drive("--some", "2", "--side", "after", seconds=3_500)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_run_killed_as_it_takes_the_alias_is_finished_by_the_next(tmp_path):
    points = drive("--during", "nan-always", "--list", seconds=1_200).splitlines()
    (number,) = (line.split()[0] for line in points if line.endswith("registered_model_alias"))
    where = ("--kill-at", number, "--side", "after")
    assert "all invariants true" in drive("--during", "nan-always", *where, seconds=2_300)


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_a_run_killed_at_any_point_is_finished_by_the_next(tmp_path):
    assert "all invariants true" in drive(seconds=35_000)
