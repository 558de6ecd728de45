"""Whose files would go with those of another version, whatever name and address they have."""

import pytest

from tasks.registry import model_versions
from tasks.registry.all_versions import listed_versions
from tasks.registry.shared_files import sharers


@pytest.fixture
def registered(made):
    """Registers a version of another model; gives who shares the files of ours."""
    made.client.create_registered_model("other")
    registry = made.services.registry

    def shared(*sources, model="income", number=1, run=""):
        for source in sources:
            made.client.create_model_version("other", source)
        one = model_versions.registered_versions(registry, model)[number]
        uri = model_versions.own_place(registry, model, one).uri
        found = sharers(registry, listed_versions(registry), model, number, [one.source, uri])
        return [(*one.place, one.is_same) for one in found]

    return shared


def place(made):
    return made.client.get_model_version_download_uri("income", "1").rstrip("/")


def test_the_same_files_are_found_whatever_their_model_and_address(made, registered):
    source = made.client.get_model_version("income", "1").source
    folder = place(made)
    found = registered(source, folder, folder.removeprefix("file://"), "models:/income/1")
    assert found == [("other", n, True) for n in (1, 2, 3, 4)]
    # Seen from the copy, too.
    assert ("income", 1, True) in registered(model="other", number=4)


def test_a_copy_of_a_copy_is_found_also_where_the_one_between_is_deleted(made, registered):
    made.client.copy_model_version("models:/income/1", "first")
    made.client.copy_model_version("models:/first/1", "second")
    made.client.delete_model_version("first", "1")
    assert registered() == [("second", 1, True)]


def test_folders_that_lie_in_each_other_are_found_in_both_directions(made, registered):
    run = made.run("theirs", "")
    inner, outer = f"runs:/{run}/model/b", f"runs:/{run}/model"
    assert registered(outer, inner, f"runs:/{run}/model-b", model="other") == [("other", 2, False)]
    assert registered(model="other", number=2) == [("other", 1, False)]
    root = made.client.get_run(run).info.artifact_uri
    found = registered(root, f"{root}/model", "models:/other/2", model="other")
    assert found == [
        ("other", 2, False),
        ("other", 4, False),
        ("other", 5, True),
        ("other", 6, False),
    ]


def test_other_weights_share_nothing_and_a_folder_around_all_of_them_does(made, registered):
    made.register("theirs", "", {})
    assert registered((made.folder / "elsewhere").as_uri()) == []
    assert registered(made.folder.as_uri()) == [("other", 2, False)]
