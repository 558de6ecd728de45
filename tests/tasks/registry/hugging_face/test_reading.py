"""Versions of transformers that are refused before its library is asked; `make models` has more."""

import json

import pytest

from tasks.registry.hugging_face.reading import (
    FLAVOR,
    base_beside,
    base_digests,
    read_classifier,
    without_base,
)
from unlearning.errors import UnsupportedModelError

FLAVOR_FACTS = {
    "task": "text-classification",
    "model_binary": "model",
    "pipeline_model_type": "BertForSequenceClassification",
    "code": None,
}


@pytest.fixture
def version(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    return tmp_path


def refused(version, why, **changes):
    with pytest.raises(UnsupportedModelError, match=why):
        read_classifier(version, {FLAVOR: FLAVOR_FACTS | changes}, "mails version 2")


def test_a_task_without_class_scores_is_refused(version):
    refused(version, "logged for the task text-generation", task="text-generation")


@pytest.mark.parametrize("name", ["modeling.py", "pytorch_model.bin", "model/optimizer.pt"])
def test_code_and_pickled_weights_are_refused(version, name):
    (version / name).write_text("")
    refused(version, "brings code or pickled weights")


def test_code_paths_are_refused(version):
    refused(version, "brings code or pickled weights", code="code")


def test_a_configuration_that_asks_for_code_is_refused(version):
    (version / "model" / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "a.B"}}))
    refused(version, "asks for code of its own")


def test_files_outside_of_its_folder_are_refused(version):
    refused(version, "names files outside of its own folder", model_binary="../other")


@pytest.mark.parametrize("place", ["../other", "/", "nowhere"])
def test_an_adapter_outside_of_its_folder_is_refused(version, place):
    refused(version, "names files outside of its own folder", peft_adaptor=place)


def test_an_adapter_without_its_base_is_refused_with_what_to_type(version):
    remedy = "does not bring its base model; log it again .* base_model_path=FOLDER"
    refused(version, remedy, model_binary=None, peft_adaptor="peft")


@pytest.fixture
def base(tmp_path):
    for name in ("config.json", "model.safetensors", "README.md"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_the_files_of_a_base_elsewhere_have_digests_too(base):
    found = base_digests(base)
    assert sorted(found) == ["base model/config.json", "base model/model.safetensors"]
    assert without_base(found | {"MLmodel": "a"}) == {"MLmodel": "a"}
    assert base_digests(None) == {}


def test_who_writes_to_a_base_meanwhile_changes_neither_digest_nor_what_is_read(services, base):
    before = base_digests(base)
    (base / "adapter_config.json").write_text("{}")
    with base_beside(services.settings, {FLAVOR: {"local_base_model_path": str(base)}}) as copy:
        (base / "model.safetensors").write_text("other weights")
        assert base_digests(copy) == before
        assert {f"base model/{one.name}" for one in copy.iterdir()} == before.keys()
        assert (copy / "model.safetensors").read_text() == "model.safetensors"
    assert not copy.exists()


@pytest.mark.parametrize("flavors", [{}, {FLAVOR: FLAVOR_FACTS}])
def test_a_version_that_brings_its_base_has_none_beside_it(services, flavors):
    with base_beside(services.settings, flavors) as copy:
        assert copy is None
