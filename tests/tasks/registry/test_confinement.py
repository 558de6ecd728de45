"""A program that gave up files and network cannot take them back."""

import json
import os
import subprocess
import sys

import pytest

from tasks.registry import confinement
from tasks.registry.confinement import READ, RUN, WRITE

ALLOWED = {sys.prefix: RUN, sys.base_prefix: RUN, "/usr": RUN, "/lib": RUN, "/lib64": RUN}


def confined(code, allowed, parent=None):
    told = {
        "program": [sys.executable, "-c", code],
        "allowed": {**ALLOWED, **allowed},
        "parent": parent or os.getpid(),
    }
    command = [sys.executable, "-I", "-S", confinement.__file__, json.dumps(told)]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.fixture
def held(tmp_path):
    return confined("", {str(tmp_path): WRITE}).stdout.split()


def test_it_says_what_holds(held):
    assert set(held) <= {"network", "files"}


def test_what_it_may_only_read_it_cannot_write(held, tmp_path):
    if "files" not in held:
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "a").write_text("a")
    code = f"import sys; sys.exit(open({str(tmp_path / 'a')!r}).read() != 'a')"
    assert confined(code, {str(tmp_path): READ}).returncode == 0
    assert confined(code, {}).returncode == 1
    writes = f"open({str(tmp_path / 'b')!r}, 'w').write('b')"
    assert confined(writes, {str(tmp_path): READ}).returncode == 1
    assert not (tmp_path / "b").exists()
    assert confined(writes, {str(tmp_path): WRITE}).returncode == 0


def test_it_stays_the_user_that_it_was(held):
    code = f"import os, sys; sys.exit(os.getuid() != {os.getuid()})"
    assert confined(code, {}).returncode == 0


def test_it_does_not_begin_once_its_parent_is_gone(held):
    done = confined("import sys; sys.exit(0)", {}, parent=1)
    assert done.returncode == 1
    assert done.stdout == ""
