from tasks.journal.histories.weights import WeightsHistory
from unlearning.policy.retirement import RowsLeft, WeightsCame


def made(*weights):
    history = WeightsHistory()
    for version, digest in weights:
        history.came(version, digest)
    return history


def test_the_latest_weights_are_where_the_alias_belongs():
    history = made((1, "a"), (2, "b"))
    assert history.above == ((1, "a"), (2, "b"))
    assert history.alias_floor == (2, "b")
    assert history.digest == "b"


def test_each_version_has_the_digests_of_its_files_that_came_last():
    history = made((1, "a"))
    history.came(2, "b", files={"MLmodel": "m"})
    history.came(1, "a", files={"MLmodel": "o"})
    assert history.files == {1: {"MLmodel": "o"}, 2: {"MLmodel": "m"}}


def test_an_erasure_leaves_behind_all_but_the_weights_in_service():
    history = made((1, "a"), (2, "b"))
    history.erase()
    assert history.below == {(1, "a")}
    assert history.alias_floor == (2, "b")


def test_while_a_model_is_out_of_service_no_weights_go_on():
    history = made((1, "a"))
    history.is_out = True
    history.erase()
    assert history.alias_floor is None
    history.came(2, "b")
    assert history.alias_floor == (2, "b")


def test_old_weights_under_a_new_number_still_remember():
    history = made((1, "a"), (2, "b"))
    history.erase()
    history.came(3, "a")
    assert history.above == ((2, "b"),)


def test_weights_that_come_back_are_the_latest_again():
    history = made((1, "a"), (2, "b"), (1, "a"))
    assert history.alias_floor == (1, "a")


def test_the_digest_of_a_number_is_the_one_recorded_last():
    history = made((1, "a"), (1, "c"))
    assert history.digest_of(1) == "c"


def test_moments_are_kept_in_order():
    history = made((1, "a"))
    history.left("b-1")
    history.came(2, "b", "a-1")
    assert history.moments == [WeightsCame(1, "a"), RowsLeft("b-1"), WeightsCame(2, "b")]
    assert history.attempts == {1: "", 2: "a-1"}


def test_nothing_is_known_of_a_model_without_weights():
    history = WeightsHistory()
    history.erase()
    assert (history.digest, history.alias_floor, history.below) == ("", None, set())
