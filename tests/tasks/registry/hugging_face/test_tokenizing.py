"""What a model's files say of how it reads texts."""

import json

import pytest

from tasks.registry.hugging_face.tokenizing import read_json, text_form
from unlearning.errors import UnsupportedModelError

TOKENIZER = {
    "model": {"vocab": {"[PAD]": 0, "word": 1}},
    "added_tokens": [{"content": "</s>", "id": 7}],
}


def written(folder, config, model):
    """A version whose tokenizer lies where MLflow puts it; its folder and that of the model."""
    place, base = folder / "components" / "tokenizer", folder / "model"
    place.mkdir(parents=True)
    base.mkdir()
    (place / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    (place / "tokenizer_config.json").write_text(json.dumps(config))
    (base / "config.json").write_text(json.dumps(model))
    return folder, base


def test_padding_is_the_id_of_the_token_that_the_tokenizer_names(tmp_path):
    found = text_form(*written(tmp_path, {"pad_token": "[PAD]"}, {}), "mails")
    assert (found.padding, found.pad_token, found.longest) == (0, "[PAD]", 512)
    assert json.loads(found.tokenizer) == TOKENIZER


def test_an_added_token_may_be_padding_and_the_shortest_limit_counts(tmp_path):
    config = {"pad_token": {"content": "</s>"}, "model_max_length": 128}
    found = text_form(*written(tmp_path, config, {"max_position_embeddings": 256}), "mails")
    assert (found.padding, found.longest) == (7, 128)


def test_else_the_model_says_which_id_is_padding(tmp_path):
    assert text_form(*written(tmp_path, {}, {"pad_token_id": 3}), "mails").padding == 3


def test_a_tokenizer_without_padding_is_refused_with_what_to_type(tmp_path):
    with pytest.raises(UnsupportedModelError, match=r"tokenizer\.pad_token = tokenizer\.eos_token"):
        text_form(*written(tmp_path, {}, {}), "mails")


def test_a_tokenizer_in_another_form_is_refused(tmp_path):
    with pytest.raises(UnsupportedModelError, match=r"mails has no tokenizer\.json"):
        text_form(tmp_path, tmp_path, "mails")


def test_what_is_no_object_says_nothing(tmp_path):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "broken.json").write_text("{")
    for name in ("list.json", "broken.json", "missing.json"):
        assert read_json(tmp_path / name) == {}
