import json

import pytest

pytestmark = pytest.mark.usefixtures("home")
WHO = ("--by", "Ada", "--reason", "wrong file")


def test_a_batch_that_is_not_there_is_named(expunge):
    said = expunge("approve", "b-1", *WHO).sentence
    assert "There is no batch 'b-1'" in said
    assert "expunge status" in said


def test_somebody_must_answer_for_it(expunge):
    assert "--by" in expunge("approve", "b-1").sentence
    assert "--by NAME" in expunge("approve", "b-1", "--by", " ", "--reason", "x").sentence


def test_a_batch_that_does_not_wait_is_left_alone(expunge, world):
    (batch,) = {one["batch"] for one in world_status(expunge)["requests"]}
    assert "does not wait for approval" in expunge("approve", batch, *WHO).err
    assert world.champion() == 2


def world_status(expunge):
    return json.loads(expunge("status", "--json").out)
