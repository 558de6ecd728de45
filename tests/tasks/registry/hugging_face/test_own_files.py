"""Which files of a version are its own, and lie in its folder."""

import pytest

from tasks.registry.hugging_face.own_files import place_within, taken_over, within
from unlearning.errors import UnsupportedModelError


def test_a_link_out_of_the_folder_does_not_count_as_within(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "version").mkdir()
    (tmp_path / "version" / "peft").symlink_to(tmp_path / "other")
    with pytest.raises(UnsupportedModelError, match="mails version 2 names files outside"):
        place_within(tmp_path / "version", "peft", "mails version 2")


def test_what_is_to_be_read_must_be_there_and_what_is_to_be_written_need_not(tmp_path):
    with pytest.raises(UnsupportedModelError, match="or that are not there"):
        within(tmp_path, "peft", "mails version 2")
    assert place_within(tmp_path, "peft", "mails version 2") == (tmp_path / "peft").resolve()


KEPT = (
    "MLmodel",
    "requirements.txt",
    "LICENSE.txt",
    "components/tokenizer/tokenizer.json",
    "components/tokenizer/spiece.model",
    "components/image_processor/preprocessor_config.json",
    "model/config.json",
    "peft/adapter_config.json",
)
WRITTEN_ANEW = (
    "input_example.json",
    "model/model.safetensors",
    "model/model-00001-of-00002.safetensors",
    "model/model.safetensors.index.json",
    "peft/adapter_model.safetensors",
)
OTHERS = (
    "model/best.safetensors",
    "model/optimizer.safetensors",
    "model/model.onnx",
    "model/weights.npz",
    "head.joblib",
    "train.csv",
    "model/trainer_state.json",
    "components/tokenizer/copy.model",
)


def test_a_successor_takes_over_no_file_that_may_hold_weights_or_rows(tmp_path):
    for name in (*KEPT, *WRITTEN_ANEW, *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    kept, left = taken_over(tmp_path)
    assert kept == {name: name.encode() for name in KEPT}
    assert sorted(left) == sorted(OTHERS)
