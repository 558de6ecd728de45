import pytest
from erased_world import GONE

from tasks.certificates.alarms import alarms
from tasks.subjects.list_check import refuse_incomplete, why_incomplete
from unlearning.errors import EffectLostError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_part_of_the_list_that_is_gone_stops_what_rests_on_it(world):
    assert why_incomplete(world.services) == []
    for info in list(world.store.list_objects("suppression/")):
        world.store.delete(info.key)
    world.deliver_again(*GONE)
    with pytest.raises(EffectLostError, match="restore suppression/ from a backup"):
        world.replay()
    (why,) = why_incomplete(world.services)
    assert why.startswith("The suppression list of 1 batch is gone")
    assert why in alarms(world.services)
    with pytest.raises(EffectLostError):
        refuse_incomplete(world.services)
