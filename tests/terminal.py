"""A person at a terminal: every command is a process of its own, against real servers."""

import json
from dataclasses import dataclass
from pathlib import Path

import small_tables
from typist import Typist

SMALL = [
    "--hidden", "64", "--epochs", "60", "--batch-size", "64", "--learning-rate", "0.003",
]  # fmt: skip

FEW_REFERENCES = """\
policy.references = 2
policy.reference_rows = 500
widened_by = "Ada"
widened_because = "the tables of the tests are small"
"""
"""Enough for tables this small."""


@dataclass
class Terminal:
    """Runs `expunge` with one home and one store; keeps everything that was printed."""

    home: Path
    train_table: str
    holdout_table: str
    environment: dict[str, str]
    typist: Typist
    max_share: float = 0.25
    """Share of the rows that a batch may forget without approval: tables here are small."""
    printed: str = ""

    def expunge(self, *arguments: str, status: int = 0, given: str = "", **environment: str) -> str:
        done = self.typist.type([*map(str, arguments)], self.environment | environment, given)
        self.printed += done.stdout + done.stderr
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def train(self, *flags: str, options: str = "") -> str:
        return self.expunge("train", "income", *self.source(options), *SMALL, *flags)

    def source(self, options: str = "") -> list[str]:
        """Flags for tables and a file with options, to which lines of TOML can be added."""
        config = self.home.parent / "model.toml"
        max_share = f"approval.max_share = {self.max_share}\n"
        config.write_text(FEW_REFERENCES + max_share + options)
        places = ["--table", self.train_table, "--holdout", self.holdout_table]
        return [*places, "--config", str(config)]

    def submit(self, name: str, rows: list[dict]) -> str:
        path = self.home.parent / name
        path.write_text("\n".join(json.dumps(row) for row in rows))
        return self.expunge("submit", str(path))

    def status(self) -> dict:
        done = self.typist.type(["status", "--json"], self.environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def outcomes(self) -> dict[str, str]:
        return {r["request_id"] or r["record_id"]: r["status"] for r in self.status()["requests"]}


def request(number: int, **fields: object) -> dict:
    return {
        "request_id": f"CASE-{number:05d}",
        "subject_id": small_tables.subject(number),
        "received_at": "2026-01-02T03:04:05Z",
    } | fields
