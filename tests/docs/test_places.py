"""Where people's ids and rows lie in the store, as the pages say it."""

import json
import re
from pathlib import Path

from erased_world import world  # noqa: F401 - a fixture
from small_tables import subject

from tasks.subjects import open_batches

DOCS = Path(__file__).parents[2] / "docs"
PRIVACY = (DOCS / "explanation/privacy.md").read_text()
HELD, ASKED, UNUSABLE = 20, 21, 22


def holding(world) -> set[str]:  # noqa: F811 - the fixture itself
    """Folders of the store that name somebody in clear, the first two parts of their address."""
    wanted = [subject(n).encode() for n in (HELD, ASKED, UNUSABLE)]
    objects = [info.key for info in world.store.list_objects("")]
    return {
        "/".join(key.split("/")[:2])
        for key in objects
        if any(one in key.encode() or one in world.store.get(key) for one in wanted)
    }


def test_raw_ids_stand_below_requests_in_the_folders_that_the_page_names(world):  # noqa: F811
    (named,) = re.findall(r"under `requests/` in the store\s+\(([^)]*)\)", PRIVACY)
    said = {f"requests/{folder}" for folder in re.split(r",\s+", named)}
    world.hold(HELD)
    world.submit("A", [HELD, ASKED])
    row = {"request_id": "X", "subject_id": subject(UNUSABLE), "received_at": "yesterday"}
    world.store.put("requests/incoming/bad.jsonl", json.dumps(row).encode())
    seen = holding(world)
    open_batches.open_batches(world.services)
    seen |= holding(world)
    world.run()
    assert seen | holding(world) <= said
    assert "requests/files" in seen


def test_every_folder_that_an_erasure_leaves_stands_on_the_page(world):  # noqa: F811
    page = (DOCS / "reference/store.md").read_text()
    said = set(re.findall(r"^\| `([a-z-]+/|format\.json)` \|", page, re.MULTILINE))
    keys = [info.key for info in world.store.list_objects("")]
    assert {key[: key.find("/") + 1] or key for key in keys} <= said


def test_digests_of_rows_that_stay_are_named_among_what_is_kept(world):  # noqa: F811
    kept = PRIVACY.partition("## What is kept after an erasure")[2]
    folders = {info.key.split("/")[0] for info in world.store.list_objects("")}
    assert folders >= {"erased-rows", "rosters"}
    assert "`erased-rows/`" in kept
    assert "`rosters/`" in kept
