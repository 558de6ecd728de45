import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from docs.commands import PAGES, blocks, scenes, typed
from docs.prose import ROOT

from flows.cli import command_line

NOT_RUN = 22
"""Blocks that are marked as not run; each says why. A new one needs a reason to be counted here."""
NOT_RUN_COMMANDS = 9
"""Commands in them: they are only parsed here, and the tests of the commands run them."""


WITH_COMMANDS = [str(page.relative_to(ROOT)) for page in PAGES if scenes(page)]
OF_RECIPES = ["docs/how-to/other-libraries.md", "docs/how-to/recipe.md"]
"""Whose enrolments train a model many times, each in a process that imports everything anew."""
QUICK = [name for name in WITH_COMMANDS if name not in OF_RECIPES]

Read = dict[str, list[dict]]
"""What came of every command, by page."""


@pytest.fixture(scope="module")
def read(tmp_path_factory, prefect_api, s3_endpoint, mlflow_template) -> Callable[..., Read]:
    """Types every command of the pages that it is given, once."""
    import boto3
    import servers

    keys = {"AWS_ACCESS_KEY_ID": servers.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": servers.SECRET_KEY}
    secrets = {name.lower(): value for name, value in keys.items()}
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1", **secrets)
    client.create_bucket(Bucket="pages")
    environment = {n: v for n, v in os.environ.items() if not n.startswith("EXPUNGE_")}
    environment |= {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        "PREFECT_API_URL": prefect_api,
        "TEST_BUCKET": "pages",
        "TEST_S3": s3_endpoint,
        "TEST_MLFLOW": str(mlflow_template),
        **keys,
    }

    @functools.cache
    def of(*pages: str) -> Read:
        folder = tmp_path_factory.mktemp("reader")
        results = folder / "results.json"
        command = [sys.executable, "-m", "docs.reader", str(folder), str(results), *pages]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        log = folder / "log"
        assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
        found: Read = {}
        for scene in json.loads(results.read_text()):
            found.setdefault(scene["page"], []).append(scene)
        return found

    return of


def all_went_well(typed_scenes: list[dict]) -> bool:
    """Whether every command of these scenes ended as it should; what was said if not."""
    for scene in typed_scenes:
        assert scene["status"] == 0, scene["said"]
        assert len(scene["typed"]) == len(scene["lines"])
        failed = [one for one in scene["typed"] if one["status"] != 0]
        assert failed == [], scene["said"]
    return bool(typed_scenes)


@pytest.mark.integration
@pytest.mark.parametrize("page", QUICK)
def test_every_command_of_the_page_does_what_it_says(read, page):
    assert all_went_well(read(*QUICK)[page])


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize("page", OF_RECIPES)
def test_every_command_of_a_page_on_recipes_does_what_it_says(read, page):
    assert all_went_well(read(*OF_RECIPES)[page])


@pytest.mark.integration
def test_the_commands_were_typed_and_not_only_parsed(read):
    scenes = [scene for page in read(*QUICK).values() for scene in page]
    kinds = [one["kind"] for scene in scenes for one in scene["typed"]]
    assert kinds.count("expunge") >= 25
    assert kinds.count("python") == 1
    assert kinds.count("prefect") == 2
    assert kinds.count("parsed") == 1  # torchrun: its passes have tests of their own


def test_blocks_that_are_not_run_are_counted():
    marked = [block for page in PAGES for block in blocks(page) if block.not_run]
    assert len(marked) == NOT_RUN, "\n".join(f"{b.page}: {b.not_run}" for b in marked)


def test_every_block_of_python_is_python():
    for page in PAGES:
        for block in blocks(page):
            if block.language == "python":
                compile(block.body, block.page, "exec")


def test_commands_of_blocks_that_are_not_run_are_understood():
    said = [typed(line) for page in PAGES for b in blocks(page) if b.not_run for line in b.lines()]
    ours = [one.words[1:] for one in said if one.words[:1] == ["expunge"]]
    parser = command_line(explained=())
    for words in ours:
        parser.parse_args(words, exit_on_error=False)
    assert len(ours) == NOT_RUN_COMMANDS


def test_a_line_is_read_as_a_shell_would():
    assert typed("echo some one | expunge trace --subject -").given == "some one"
    assert typed("expunge enroll --init > a.toml").into == "a.toml"
    assert typed('expunge approve b --by "Ada L"  # why').words[-1] == "Ada L"
