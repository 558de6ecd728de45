"""Commands called in this process, where no flow runs: quick, and as a person types them."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from erased_world import world
from hand_made_batch import batch  # noqa: F401 - a fixture

from flows.cli import main

__all__ = ["world"]


@dataclass(frozen=True)
class Printed:
    """What a command printed, and the status it ended with."""

    out: str
    err: str
    status: int

    @property
    def sentence(self) -> str:
        """The one sentence of a refusal, on one line."""
        assert self.status == 2, self
        assert "Traceback" not in self.err
        return " ".join(self.err.split())


@pytest.fixture
def expunge(monkeypatch, capsys) -> Callable[..., Printed]:
    """Calls `expunge` with arguments, on the store of the home that another fixture made."""
    logger = logging.getLogger("expunge")
    monkeypatch.setattr(logger, "handlers", [logging.NullHandler()])
    monkeypatch.setattr(logger, "propagate", logger.propagate)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: object) -> Printed:
        monkeypatch.setattr(sys, "argv", ["expunge", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return Printed(said.out, said.err, status)

    return call
