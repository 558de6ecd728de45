"""How a model of images reads pixels, by the image processor among its files, as data."""

from dataclasses import dataclass
from pathlib import Path

from tasks.registry.hugging_face.tokenizing import read_json

_FOLDERS = ("components/image_processor", "components/feature_extractor")


@dataclass(frozen=True, slots=True)
class ImageForm:
    """What is done to pixels from 0 to 1, channel by channel."""

    mean: tuple[float, ...] = ()
    """What is taken off; empty if nothing is."""
    spread: tuple[float, ...] = ()
    """What they are divided by then."""


def image_form(directory: Path) -> ImageForm:
    """How the model in these files reads pixels; as they are if its processor does not say."""
    for folder in _FOLDERS:
        config = read_json(directory / folder / "preprocessor_config.json")
        mean, spread = config.get("image_mean"), config.get("image_std")
        if config.get("do_normalize", True) and isinstance(mean, list) and isinstance(spread, list):
            return ImageForm(tuple(map(float, mean)), tuple(map(float, spread)))
    return ImageForm()
