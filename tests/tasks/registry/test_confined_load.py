"""A fork that loads a model cannot reach anything, and dies of most tries."""

import os

import pytest
import torch
from hostile_archives import with_size
from torch import nn

from tasks.registry import trial
from unlearning.errors import UnsupportedModelError

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of its own formats


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    file = tmp_path_factory.mktemp("sound") / "model.pt2"
    rows = {0: torch.export.Dim("rows")}
    program = torch.export.export(nn.Linear(3, 2), (torch.zeros(2, 3),), dynamic_shapes=(rows,))
    torch.export.save(program, file)
    return file


@pytest.fixture
def held(sound):
    """What of confinement this kernel offers."""
    return trial.try_load(sound, "income version 1")


def test_a_sound_archive_is_loaded(held):
    assert set(held) <= {"network", "files", "calls"}


TRIES = {
    "calls": [
        "__import__('os').system('touch {marker}')",
        "len(str(open('{marker}', 'w')))",
        "len(str(__import__('socket').socket()))",
        "int(__import__('os').fork())",
        "int(__import__('os').kill(__import__('os').getppid(), 9) or 0)",
    ],
    "files": [
        "len(open('{secret}').read())",
        "len(open('/proc/{pid}/environ').read())",
        "int(__import__('os').unlink('{secret}') or 0)",
    ],
}


@pytest.mark.parametrize(
    ("barrier", "code"), [(barrier, code) for barrier, some in TRIES.items() for code in some]
)
def test_what_reaches_beyond_its_own_files_is_refused(sound, held, tmp_path, barrier, code):
    if barrier not in held:
        pytest.skip(f"this kernel offers no such barrier: {barrier}")
    marker, secret, file = tmp_path / "marker", tmp_path / "secret", tmp_path / "m" / "model.pt2"
    file.parent.mkdir()
    secret.write_text("key")
    with_size(sound, file, code.format(marker=marker, secret=secret, pid=os.getpid()))
    with pytest.raises(UnsupportedModelError, match="reaches for files, programs or the network"):
        trial.try_load(file, "income version 1")
    assert not marker.exists()
    assert secret.read_text() == "key"
