import traceback

import pytest
from factories import disposition
from hostile_names import MARK

from tasks.intake import legal_holds
from unlearning.errors import DataError, SettingsError
from unlearning.policy.digests import pseudonym
from unlearning.policy.spelling import loose_pseudonym


def place(services, path):
    data, holds = legal_holds.read_file(path)
    legal_holds.store(services, path, data)
    return holds


def test_a_hold_needs_the_subject_alone_and_one_that_nobody_could_read_is_refused(
    services, tmp_path
):
    (good := tmp_path / "good.csv").write_text("subject_id\nperson-1\nperson-2\n")
    assert len(place(services, good)) == 2
    assert legal_holds.subjects_on_hold(services) == {("person-1", ""), ("person-2", "")}
    for name, text in (("a.csv", "who\nperson-3\n"), ("b.jsonl", '{"subject": 3}'), ("c.txt", "x")):
        (bad := tmp_path / name).write_text(text)
        with pytest.raises(SettingsError, match=f"{name} is no hold") as error:
            legal_holds.read_file(bad)
        assert "person" not in str(error.value)
    with pytest.raises(SettingsError, match=r"No hold is named a\.csv; in force are: good\.csv\."):
        legal_holds.release(services, "a.csv")
    legal_holds.release(services, "good.csv")
    assert legal_holds.subjects_on_hold(services) == set()


def test_a_hold_that_is_a_link_stops_everything_and_its_name_stays_where_it_is(services, tmp_path):
    (elsewhere := tmp_path / "hold.jsonl").write_text('{"subject_id": "s-1"}')
    (place := services.store.root / "requests/holds").mkdir(parents=True)
    (place / f"{MARK}.jsonl").symlink_to(elsewhere)
    with pytest.raises(DataError, match="is a link") as error:
        legal_holds.subjects_on_hold(services)
    assert MARK not in "".join(traceback.format_exception(error.value))


def test_a_hold_of_an_unusable_name_is_told_from_any_other_trouble(services):
    place = services.store.root / legal_holds.PREFIX
    for _ in range(6):
        place /= "y" * 200
    place.mkdir(parents=True)
    with pytest.raises(DataError, match="rename it, then run again"):
        legal_holds.subjects_on_hold(services)


@pytest.mark.parametrize("odd", ['["a"]', "17.5", "null", "true", '" padded "'])
def test_a_hold_that_names_nobody_sound_stops_everything(services, odd):
    services.store.put("requests/holds/court.jsonl", f'{{"subject_id": {odd}}}'.encode())
    with pytest.raises(DataError, match="usable subject_id"):
        legal_holds.subjects_on_hold(services)


@pytest.mark.parametrize("content", [b"request_id,subject_id\nH-1\n", b"\xff", b""])
def test_an_unreadable_hold_register_stops_everything(services, content):
    services.store.put("requests/holds/court.csv", content)
    with pytest.raises(DataError, match="holds"):
        legal_holds.subjects_on_hold(services)


def test_a_hold_whose_last_line_may_be_cut_stops_everything(services):
    services.store.put(f"{legal_holds.PREFIX}a.csv", b"subject_id\nperson-1\nperson-2")
    with pytest.raises(DataError, match="may be cut") as error:
        legal_holds.subjects_on_hold(services)
    assert "person" not in str(error.value)


@pytest.mark.parametrize("kind", ["7", '"Employee"', '["person"]', "true"])
def test_a_hold_of_a_kind_that_nobody_can_name_stops_everything(services, kind):
    line = f'{{"subject_id": "s-1", "subject_kind": {kind}}}'
    services.store.put("requests/holds/court.jsonl", line.encode())
    with pytest.raises(DataError, match="subject_kind that is no name of a kind"):
        legal_holds.subjects_on_hold(services)


def test_the_register_protects_every_spelling_in_the_kinds_that_the_hold_names(services):
    lines = '{"subject_id": "00017"}\n{"subject_id": "JDoe@x.org", "subject_kind": "employee"}\n'
    services.store.put("requests/holds/court.jsonl", lines.encode())
    held, key = legal_holds.register(services), services.settings.pseudonym_secret()
    for kind in ("person", "employee"):
        assert held.names(kind, loose_pseudonym(key, "17"))
        assert held.names(kind, loose_pseudonym(key, "jdoe@x.org")) == (kind == "employee")
    assert not held.names("person", loose_pseudonym(key, "18"))


def test_a_request_that_was_judged_before_spellings_were_is_protected_by_its_exact_id(services):
    services.store.put("requests/holds/court.jsonl", b'{"subject_id": "17"}')
    held, key = legal_holds.register(services), services.settings.pseudonym_secret()
    old = disposition("f-1", subject=pseudonym(key, "17"))
    assert (old.spelling, held.protects(old)) == ("", True)
    assert not held.protects(disposition("f-2", subject=pseudonym(key, "18")))
