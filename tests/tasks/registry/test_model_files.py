"""Versions as they are loaded: compared with their record, and behind their interface."""

import pytest
import torch
from logged_models import log_model
from torch import nn

from tasks.registry.model_files import load_model
from unlearning.config.model_interface import ModelInterface
from unlearning.errors import ChangedWeightsError
from unlearning.model.adapted import inner_of


@pytest.mark.filterwarnings("ignore")  # of torch about its own format
def test_a_version_is_loaded_behind_its_interface_if_its_files_are_those_on_record(services):
    version = log_model(services, nn.Linear(40, 1), form="pt2")
    interface = ModelInterface(tolerance=0.5)
    found = load_model(services.registry, "income", version, interface=interface)
    assert found.module(torch.zeros(3, 41)).shape == (3, 2)
    assert inner_of(found.module)(torch.zeros(3, 40)).shape == (3, 1)
    changed = found.files | dict.fromkeys(list(found.files)[:1], "other")
    with pytest.raises(ChangedWeightsError):
        load_model(services.registry, "income", version, recorded=changed)
