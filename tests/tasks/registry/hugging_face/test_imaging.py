"""Pixels go in as the model's own image processor would give them."""

import json

import pytest

from tasks.registry.hugging_face.imaging import ImageForm, image_form

SAID = {"image_mean": [0.5, 0.4], "image_std": [0.2, 0.1]}


def written(folder, config, place="image_processor"):
    processor = folder / "components" / place
    processor.mkdir(parents=True)
    (processor / "preprocessor_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("place", ["image_processor", "feature_extractor"])
def test_mean_and_spread_are_those_of_its_processor(tmp_path, place):
    assert image_form(written(tmp_path, SAID, place)) == ImageForm((0.5, 0.4), (0.2, 0.1))


def test_nothing_is_done_where_it_does_not_normalise_or_there_is_none(tmp_path):
    assert image_form(tmp_path) == ImageForm()
    assert image_form(written(tmp_path, SAID | {"do_normalize": False})) == ImageForm()
