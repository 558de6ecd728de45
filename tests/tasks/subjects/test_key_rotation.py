"""What a rotation of the pseudonym key leaves: nothing that the old key alone could open."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from erased_world import GONE, world  # noqa: F401 - a fixture
from small_tables import subject

from tasks.certificates.traces import trace_subject
from tasks.environment.settings import load_settings
from tasks.intake import inbox
from tasks.journal.events.requests import Answered
from tasks.journal.histories.ties import tie_of
from tasks.registry.services import Services
from tasks.report import mlflow_mirror
from tasks.subjects.key_rotation import rotate
from tasks.subjects.rosters import keep_roster, read_roster, roster_rows
from tasks.tables.delta import open_table
from unlearning.errors import ConflictError, DataError, SettingsError, UnreachableError
from unlearning.policy.digests import bytes_digest, pseudonym
from unlearning.policy.spelling import loose_pseudonym

HELD = 20


@pytest.fixture
def place(world):  # noqa: F811 - the fixture itself
    """The world once somebody came back and was erased again, and somebody is on hold."""
    world.restore()
    world.replay()
    world.hold(HELD)
    world.submit("H", [HELD])
    world.run()
    (replay,) = {e.facts.batch for r, e in world.requests().items() if r.startswith("replay-")}
    mlflow_mirror.mirror(world.services, replay)
    return world


def turn(place, by="Ada"):
    """A rotation, and services that know nothing of before."""
    rotate(Services.open(load_settings()), name=by)
    place.services = Services.open(load_settings())


def names_of(secret: bytes) -> list[bytes]:
    """Everything by which somebody with this key would look for the people of the tests."""
    made = [pseudonym(secret, subject(n)) for n in range(240)]
    made += [loose_pseudonym(secret, subject(n)) for n in range(240)]
    halves = [np.uint64(int(one[:16], 16)).tobytes() for one in made]
    return [*(one.encode() for one in made), *(one[:16].encode() for one in made), *halves]


def files_below(folder: Path) -> dict[str, bytes]:
    found = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def holding(folder: Path, secret: bytes) -> list[str]:
    wanted = names_of(secret)
    files = files_below(folder)
    return [n for n, data in files.items() if any(w in data or w in n.encode() for w in wanted)]


def test_the_old_key_alone_recognises_nobody(place):
    home, old = place.services.settings.home, place.services.settings.pseudonym_secret()
    assert {n.partition("/")[0] for n in holding(home, old)} >= {"store", "artifacts"}
    turn(place)
    assert holding(home, old) == []
    assert holding(home, place.services.settings.pseudonym_secret())


def test_whoever_comes_back_is_recognised_and_erased_again(place):
    turn(place)
    place.restore()
    _, written = place.replay()
    assert written == len(GONE)
    place.run()
    assert not set(GONE) & place.there()
    assert HELD in place.there()
    (told, again, third) = trace_subject(place.services, subject(3))
    assert [one["events"][-1]["status"] for one in (told, again, third)] == ["erased"] * 3


def test_the_replay_of_before_is_the_same_request_still(place):
    turn(place)
    place.restore()
    assert place.replay()[1] == len(GONE)
    assert place.replay()[1] == 0


def test_certificates_are_those_that_the_journal_quotes(place):
    turn(place)
    answers = [e.facts for e in place.requests().values() if isinstance(e.facts, Answered)]
    assert len(answers) == 2 * len(GONE)
    for one in answers:
        data = place.store.get(one.certificate)
        assert bytes_digest(data) == one.certificate_digest
        assert json.loads(data)["request"]["subject_pseudonym"] == one.subject


def test_whoever_is_on_hold_stays_so_and_is_erased_once_released(place):
    turn(place)
    place.run()
    assert place.requests()[f"H-{HELD}"].status == "on_hold"
    place.release(HELD)
    place.run()
    assert place.requests()[f"H-{HELD}"].status == "erased"


def test_rosters_hold_what_they_would_had_the_key_always_been_the_new_one(place):
    tie = tie_of(place.enrolled())
    keep_roster(place.services, "income", tie)
    turn(place)
    turn(place)
    roster = read_roster(place.services, "income", tie)
    table = open_table(place.services.settings, tie.dataset.uri, tie.version)
    made = roster_rows(place.services, table, tie)
    assert roster is not None
    assert (roster.rows == made).all()


def test_a_second_rotation_works_and_a_run_between_them(place):
    home, first = place.services.settings.home, place.services.settings.pseudonym_secret()
    turn(place)
    second = place.services.settings.pseudonym_secret()
    place.submit("L", [30])
    place.run()
    turn(place, "Grace")
    assert holding(home, first) == holding(home, second) == []
    assert [one["events"][-1]["status"] for one in trace_subject(place.services, subject(30))] == [
        "erased"
    ]
    told = [json.loads(place.store.get(f"keys/{n:06d}.json"))["by"] for n in (2, 3)]
    assert told == ["Ada", "Grace"]


class Killed(BaseException):
    """What ends a run without any of its own words."""


class Dying:
    """The store, which kills whoever makes the change of this number."""

    def __init__(self, store: Any, at: int) -> None:
        self.store, self.at, self.count = store, at, 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        if name not in ("put", "put_if_absent", "delete"):
            return found

        def change(key, *rest):
            if not key.startswith("lease/"):
                self.count += 1
                if self.count == self.at:
                    raise Killed
            return found(key, *rest)

        return change


def end_of(place, at):
    """The store and the key after a rotation that was killed at a change, and called again."""
    settings = load_settings()
    dying: Any = Dying(Services.open(settings).store, at)
    try:
        rotate(Services.over(dying, settings), name="Ada")
    except Killed:
        rotate(Services.open(load_settings()), name="Ada")
    left = files_below(settings.home / "store")
    left = {n: d for n, d in left.items() if not n.startswith(("lease", "keys"))}
    rest = sorted(info.key for info in place.store.list_objects("keys/"))
    return (left, rest, settings.pseudonym_secret()), dying.count


def test_a_rotation_that_was_killed_anywhere_comes_to_the_same_end(place, tmp_path):
    home = place.services.settings.home
    (home / "pseudonym.key.next").write_text("5a" * 32)
    for name in ("store", "pseudonym.key", "pseudonym.key.next"):
        copy = shutil.copytree if (home / name).is_dir() else shutil.copy
        copy(home / name, tmp_path / name)
    whole, count = end_of(place, 0)
    assert whole[1] == ["keys/000002.json"]
    for at in (1, 2, 3, 4, 9, count // 3, count // 2, *range(count - 6, count + 1)):
        shutil.rmtree(home / "store")
        shutil.copytree(tmp_path / "store", home / "store")
        for name in ("pseudonym.key", "pseudonym.key.next"):
            shutil.copy(tmp_path / name, home / name)
        assert end_of(place, at)[0] == whole, at


def test_nothing_else_runs_until_a_rotation_that_was_killed_has_ended(place):
    settings = load_settings()
    dying: Any = Dying(place.store, 9)
    with pytest.raises(Killed):
        rotate(Services.over(dying, settings), name="Ada")
    with pytest.raises(SettingsError, match="expunge rotate-key"):
        Services.open(settings).journal.models()
    turn(place)
    assert place.services.journal.models() == ["income"]


def test_keys_that_are_set_as_variables_are_rotated_by_whoever_sets_them(place, monkeypatch):
    home = place.services.settings.home
    old = (home / "pseudonym.key").read_text()
    monkeypatch.setenv("EXPUNGE_PSEUDONYM_KEY", old)
    with pytest.raises(SettingsError, match="EXPUNGE_NEXT_PSEUDONYM_KEY"):
        rotate(Services.open(load_settings()), name="Ada")
    monkeypatch.setenv("EXPUNGE_NEXT_PSEUDONYM_KEY", old)
    with pytest.raises(SettingsError, match="set one that is new"):
        rotate(Services.open(load_settings()), name="Ada")
    monkeypatch.setenv("EXPUNGE_NEXT_PSEUDONYM_KEY", "5a" * 32)
    assert not rotate(Services.open(load_settings()), name="Ada")
    with pytest.raises(SettingsError, match="with commas between them"):
        Services.open(load_settings()).journal.models()
    monkeypatch.setenv("EXPUNGE_PSEUDONYM_KEY", f"{old},{'5a' * 32}")
    assert len(trace_subject(Services.open(load_settings()), subject(3))) == 2


def test_a_file_that_a_batch_has_taken_up_is_not_taken_up_again(place):
    place.store.put("requests/incoming/unusable.jsonl", b"\xff")
    place.run()
    turn(place)
    assert [i.key for i in place.store.list_objects("requests/incoming/unusable")]
    assert inbox.new_files(place.services) == []


def test_what_cannot_be_read_or_reached_is_found_before_anything_begins(place, monkeypatch):
    before = files_below(place.services.settings.home / "store")
    place.store.put("certificates/damaged.json", b"{")
    with pytest.raises(DataError, match=r"certificates/damaged\.json"):
        rotate(Services.open(load_settings()), name="Ada")
    place.store.delete("certificates/damaged.json")
    monkeypatch.setenv("EXPUNGE_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UnreachableError):
        rotate(Services.open(load_settings()), name="Ada")
    after = files_below(place.services.settings.home / "store")
    changed = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
    assert {n.partition("/")[0] for n in changed} <= {"lease", "journal"}  # what is over is noted
    assert not [n for n in changed if n.startswith("journal/") and "/finished/" not in n]


def test_a_key_is_rotated_by_somebody_and_while_no_batch_is_open(place, monkeypatch):
    with pytest.raises(SettingsError, match="--by NAME"):
        rotate(place.services, name=" ")
    place.submit("O", [40])
    monkeypatch.setattr(place, "process", lambda batch: None)
    place.run()  # the batch is frozen, and stays open
    with pytest.raises(ConflictError, match="is open"):
        rotate(place.services, name="Ada")
