"""A recipe reads what Python needs, and nothing that holds people."""

import os
import sys
from pathlib import Path

import pytest

from tasks.registry.confined.places import allowed_places, private_places
from tasks.registry.confinement import READ, RUN, WRITE
from unlearning.errors import SettingsError


def test_python_s_own_folders_are_in_reach_and_the_working_folder_is(tmp_path):
    allowed = allowed_places("", tmp_path, [], {})
    assert allowed[sys.base_prefix] == allowed["/usr"] == RUN
    assert allowed[str(tmp_path)] == WRITE


def test_a_folder_of_packages_around_something_private_is_left_out(tmp_path):
    packages = tmp_path / "project"
    (packages / ".expunge").mkdir(parents=True)
    environment = {"PYTHONPATH": str(packages)}
    assert str(packages) in allowed_places("", tmp_path, [], environment)
    hidden = [(packages / ".expunge").resolve()]
    assert str(packages) not in allowed_places("", tmp_path, hidden, environment)


def test_something_private_inside_of_python_is_cut_out_of_it(tmp_path):
    """Such as the home of an image that works in /usr/src/app."""
    private = Path(os.__file__).resolve().parent / "json"
    allowed = allowed_places("", tmp_path, [private], {})
    assert allowed[str(private.parent / "email")] == RUN
    assert not [one for one in allowed if private.is_relative_to(Path(one).resolve())]
    assert not [one for one in allowed if Path(one).resolve().is_relative_to(private)]


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/true"])
def test_what_is_no_python_is_refused(tmp_path, python):
    with pytest.raises(SettingsError, match="does not start as a Python"):
        allowed_places(python, tmp_path, [], dict(os.environ))


def test_home_store_and_tables_on_this_machine_are_private(services, tmp_path):
    found = private_places(services.settings, [tmp_path.as_uri(), "s3://lake/train"])
    home = services.settings.home.resolve()
    assert set(found) == {home, home / "store", tmp_path.resolve()}


def test_a_folder_that_is_named_is_readable_and_no_more(tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    assert allowed_places("", tmp_path, [], {}, readable=[given])[str(given)] == READ
