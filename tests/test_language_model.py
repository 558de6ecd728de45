"""The experiment with secrets in a language model: its figures mean what they say."""

import json
from math import log2

import torch

from benchmarks.language_model import (
    CHARACTERS,
    DIGITS,
    Characters,
    drawn,
    ids_of,
    main,
    notes,
    rows_of,
    trained,
)


def test_each_character_but_the_first_is_a_row_behind_what_stands_before_it():
    (note,) = notes(1, seed=0)
    rows, text = rows_of([note]), note.before + note.code
    assert rows.count == len(text) - 1
    assert "".join(CHARACTERS[one] for one in rows.labels.tolist()) == text[1:]
    assert torch.equal(rows.inputs[-1:], ids_of([text[:-1]]).float())


def test_a_place_does_not_see_what_comes_after_it():
    torch.manual_seed(0)
    model = Characters().eval()
    short, long = ids_of(["ada likes tea"]), ids_of(["ada likes tea. code: 1"])
    assert torch.allclose(
        model.everywhere(short)[:, :13], model.everywhere(long)[:, :13], atol=1e-5
    )


def test_a_code_learned_by_heart_is_drawn_out_and_one_never_seen_is_not():
    some = notes(6, seed=3)
    found = drawn(trained(some[:3], epochs=120, seed=0), some[:3])
    assert found.extracted == 1.0
    assert found.exposure == DIGITS * log2(10)
    torch.manual_seed(1)
    assert drawn(Characters().eval(), some[3:]).exposure < 8


def test_what_it_measures_is_written_down(tmp_path, capsys):
    main(people=8, forget=2, epochs=1, out=str(tmp_path / "found.json"))
    found = json.loads((tmp_path / "found.json").read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert set(found["updated"]) == {"forget", "retain", "unseen", "mia_auc"}
