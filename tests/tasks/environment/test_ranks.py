"""The processes of torchrun as one group, on the CPU."""

import socket

from torch import distributed

from tasks.environment.ranks import rank_group
from tasks.environment.settings import Settings


def test_a_process_alone_is_the_first_and_makes_no_group():
    with rank_group(Settings(device="cpu")) as is_first:
        assert is_first
        assert not distributed.is_initialized()


def test_a_rank_of_one_machine_joins_the_group_and_leaves_it(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {
        "TORCHELASTIC_RUN_ID": "r",
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with rank_group(Settings(device="cpu")) as is_first:
        assert is_first
    assert not distributed.is_initialized()
