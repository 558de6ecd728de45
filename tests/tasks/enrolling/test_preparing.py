"""A preparation is tried before it is taken over, and erased from like any columns."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch_models import PREPARE, Owned, Regional, sales

from tasks.datasets.preparations import TO_COME
from tasks.enrolling.checking import check_enrolment
from tasks.journal.reading import enrolled_models
from tasks.registry.model_files import Trust
from unlearning.config.model_interface import ModelInput
from unlearning.errors import DataError, SettingsError, UnfitRowsError

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and MLflow about their own formats
SCALER = {"mean": 50.0, "spread": 10.0}


def given(table):
    amount = (table["amount"].fill_null(0).to_numpy() - SCALER["mean"]) / SCALER["spread"]
    names = ["north", "south", "west"]
    region = [names.index(one) for one in table["region"].to_pylist()]
    return [torch.tensor(region), torch.tensor(amount, dtype=torch.float32).unsqueeze(1)]


@pytest.fixture
def world(services, tmp_path):
    """A model in service with its fitted scaler beside it, on columns that are no numbers."""
    made = Owned(services, tmp_path, sales, features=("amount", "region"), preparation=TO_COME)
    scaler = tmp_path / "scaler.json"
    scaler.write_text(json.dumps(SCALER))
    example = np.zeros((2, 2), dtype=np.float32)
    loss = nn.functional.cross_entropy
    made.serve(Regional(), loss, given, example=example, extra_files=[str(scaler)])
    return made


def written(world, code):
    file = world.folder / "prepare.py"
    file.write_text(code)
    return str(file)


def test_columns_that_are_no_numbers_are_erased_by_the_owners_preparation(world):
    found = world.enroll(prepare=written(world, PREPARE))
    assert found.interface.inputs == (
        ModelInput(name="amount", cells=1, shape=(1,)),
        ModelInput(name="region", cells=1, kind="int64"),
    )
    world.erase()
    names = [path for path in world.files() if "extra_files" in path]
    assert names == ["extra_files/scaler.json"]  # the next version has its scaler, too


BAD = {
    "together": ("amount[:, None]", "(amount - amount.mean())[:, None]", DataError, "depends on"),
    "order": ("amount[:, None]", "np.sort(amount)[:, None]", DataError, "depends on the other"),
    "rows": ('"region": region}', '"region": region[:1]}', UnfitRowsError, "makes 1 rows of 32"),
    "fails": ("json.loads(", "json.gone(", UnfitRowsError, "raises AttributeError in line 8"),
}


def test_a_preparation_that_cannot_be_is_refused_and_nothing_is_enrolled(world):
    for part, other, kind, said in BAD.values():
        with pytest.raises(kind, match=said):
            world.enroll(prepare=written(world, PREPARE.replace(part, other)))
    with pytest.raises(SettingsError, match="cannot be read"):
        world.enroll(prepare=str(world.folder / "none.py"))
    assert list(enrolled_models(world.services.journal)) == []


def test_a_check_tells_what_a_preparation_gives(world):
    source = world.source(dataset=world.spec, prepare=written(world, PREPARE))
    found = check_enrolment(world.services, source, None, Trust(pickle=True))
    assert found.is_possible
    assert any("takes region as int64" in one for one in found.notes)
