import inspect
import re
import subprocess
import sys

import pytest
import torch

from unlearning import errors
from unlearning.errors import ExpungeError, is_out_of_memory

KINDS = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == "unlearning.errors"
}
DRAWN = re.findall(r"^    ([ │├└─]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)


def test_every_error_is_drawn_in_the_tree_once():
    assert sorted(name for _, name in DRAWN) == sorted(KINDS)


def test_each_error_is_of_the_kind_that_it_is_drawn_under():
    above = {}
    for rails, name in DRAWN:
        depth = len(rails) // 4
        above[depth] = name
        parent = above[depth - 1] if depth else "Exception"
        assert parent in {kind.__name__ for kind in KINDS[name].__bases__}


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"),
        RuntimeError("could not create a primitive"),
        OSError("[Errno 12] Cannot allocate memory"),
    ],
)
def test_memory_that_ran_out_is_known_by_its_name_or_words(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ExpungeError("Memory.")])
def test_another_error_is_not_taken_for_it(error):
    assert not is_out_of_memory(error)


def test_asking_what_an_error_says_does_not_load_torch():
    code = "import sys, unlearning.errors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
