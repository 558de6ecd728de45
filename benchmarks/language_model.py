"""Secrets in a small causal language model: what can be drawn out of it before and after.

    python -m benchmarks.language_model --people 300 --forget 10

Every person has one note with a code of four digits in it. A model of characters learns the notes
by heart; then some people ask to be forgotten. Each place of a note is a row: what stands before it
is the input, and its character is the class. Beside the update stands a model that was trained
without those people. The notes are made up; nothing is downloaded.

Exposure (Carlini et al. 2019) is log2 of all codes less log2 of the true one's rank among them, by
the model's own odds: 13.3 for a code that the model would name first, 1.4 on average by chance.
"""

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from math import log2
from pathlib import Path
from random import Random
from statistics import mean

import torch
from cyclopts import run
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from unlearning.attacks.membership import membership_auc
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.catalog import unlearn
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import TensorRows
from unlearning.model.scores import read_scores

CHARACTERS = "\n abcdefghijklmnopqrstuvwxyz0123456789.:"
PADDING = 0
LENGTH, WIDTH, LAYERS, HEADS = 56, 96, 2, 4
DIGITS = 4
_FIRST = ("ada", "bela", "cora", "dani", "edda", "finn", "gero", "hugo", "ines", "jona")
_LAST = ("abel", "bauer", "conrad", "dietz", "engel", "fuchs", "geiger", "hahn", "ising", "jung")
_LIKES = ("tea and long walks", "old maps", "the sea in winter", "rye bread", "slow trains")


@dataclass(frozen=True, slots=True)
class Note:
    """What a person wrote, up to their code, and the code."""

    before: str
    code: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """What can be drawn out of a model about some people, on average."""

    extracted: float
    """Share of codes that it names when it goes on after what stands before them."""
    exposure: float
    loss: float
    """Of a character of their notes, in nats."""


class Characters(nn.Module):
    """A small causal transformer: scores of the character after each row [B, L], as [B, C]."""

    def __init__(self) -> None:
        super().__init__()
        self.names = nn.Embedding(len(CHARACTERS), WIDTH)
        self.places = nn.Parameter(torch.zeros(LENGTH, WIDTH))
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.scores = nn.Linear(WIDTH, len(CHARACTERS))
        ahead = torch.full((LENGTH, LENGTH), float("-inf")).triu(1)
        self.register_buffer("ahead", ahead, persistent=False)

    def everywhere(self, ids: Tensor) -> Tensor:
        """Scores of the character after every place, [B, L, C]."""
        return self.scores(self.layers(self.names(ids) + self.places, mask=self.ahead))

    def forward(self, rows: Tensor) -> Tensor:
        """Scores of the character after the last place that is filled."""
        ids = rows.long()
        last = (ids != PADDING).sum(1) - 1
        return self.everywhere(ids)[torch.arange(len(ids)), last]


def notes(count: int, seed: int) -> list[Note]:
    """So many made-up notes, each of a person of its own."""
    random = Random(seed)
    found = [
        f"{random.choice(_FIRST)} {random.choice(_LAST)} {number} likes {random.choice(_LIKES)}"
        for number in range(count)
    ]
    return [Note(f"{one}. code: ", f"{random.randrange(10**DIGITS):0{DIGITS}}") for one in found]


def ids_of(texts: Sequence[str]) -> Tensor:
    """Ids of characters [N, L], filled up at the end."""
    found = torch.full((len(texts), LENGTH), PADDING)
    for number, text in enumerate(texts):
        found[number, : len(text)] = torch.tensor([CHARACTERS.index(one) for one in text])
    return found


def rows_of(some: Sequence[Note]) -> TensorRows:
    """A row for each character of the notes but the first."""
    texts = [note.before + note.code for note in some]
    pairs = [(text[:at], text[at]) for text in texts for at in range(1, len(text))]
    labels = torch.tensor([CHARACTERS.index(one) for _, one in pairs])
    return TensorRows(ids_of([before for before, _ in pairs]).float(), labels)


def trained(some: Sequence[Note], epochs: int, seed: int) -> Characters:
    """A model that learned the notes from fresh weights."""
    torch.manual_seed(seed)
    model, ids = Characters(), ids_of([note.before + note.code for note in some])
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(ids)).split(32):
            optimiser.zero_grad()
            scores = model.everywhere(ids[batch])[:, :-1].flatten(0, 1)
            wanted = ids[batch, 1:].flatten()
            cross_entropy(scores, wanted, ignore_index=PADDING).backward()
            optimiser.step()
        slower.step()
    return model.eval()


def drawn(model: Characters, some: Sequence[Note]) -> Drawn:
    """What can be drawn out of the model about the people of these notes."""
    ranks = [_rank(model, note) for note in some]
    return Drawn(
        extracted=mean(_continued(model, note) == note.code for note in some),
        exposure=mean(DIGITS * log2(10) - log2(rank) for rank in ranks),
        loss=read_scores(model, rows_of(some), chunk_size=512).mean_loss,
    )


@torch.no_grad()
def _continued(model: Characters, note: Note) -> str:
    text = note.before
    for _ in range(DIGITS):
        text += CHARACTERS[int(model(ids_of([text])).argmax())]
    return text[-DIGITS:]


@torch.no_grad()
def _rank(model: Characters, note: Note) -> int:
    """The place of the true code among all, by their odds, digit by digit."""
    odds = torch.zeros(1)
    before = [note.before]
    digits = torch.tensor([CHARACTERS.index(one) for one in "0123456789"])
    for _ in range(DIGITS):
        parts = [log_softmax(model(ids), 1)[:, digits] for ids in ids_of(before).split(500)]
        odds = (odds.unsqueeze(1) + torch.cat(parts)).flatten()
        before = [text + one for text in before for one in "0123456789"]
    return 1 + int((odds > odds[int(note.code)]).sum())


def main(
    *, people: int = 300, forget: int = 10, epochs: int = 150, seed: int = 0, out: str = ""
) -> None:
    """Measure the original, the update and a retrained model, and write what was found as JSON."""
    everybody = notes(2 * people, seed)
    some, rest, unseen = everybody[:forget], everybody[forget:people], everybody[people:]
    original = trained(everybody[:people], epochs, seed)
    problem = UnlearningProblem(
        model=original, forget=rows_of(some), retain=rows_of(rest), holdout=rows_of(unseen)
    )
    updated = deepcopy(original)
    updated.load_state_dict(unlearn(problem, UnlearningConfig()))
    retrained = trained(rest, epochs, seed + 1)
    found = {
        name: _measured(model, some, rest, unseen)
        for name, model in (("original", original), ("updated", updated), ("retrained", retrained))
    }
    text = json.dumps({"people": people, "forget": forget, "epochs": epochs, **found}, indent=2)
    print(text)  # noqa: T201
    if out:
        Path(out).write_text(text + "\n")


def _measured(
    model: Characters, some: Sequence[Note], rest: Sequence[Note], unseen: Sequence[Note]
) -> dict[str, object]:
    few = len(some)
    return {
        "forget": asdict(drawn(model, some)),
        "retain": asdict(drawn(model, rest[:few])),
        "unseen": asdict(drawn(model, unseen[:few])),
        "mia_auc": membership_auc(_losses(model, some), _losses(model, unseen)).auc,
    }


def _losses(model: Characters, some: Sequence[Note]) -> Tensor:
    """The mean loss of each note: whoever knows a note knows all of its characters."""
    found = [read_scores(model, rows_of([one]), chunk_size=512).mean_loss for one in some]
    return torch.tensor(found)


if __name__ == "__main__":
    run(main)
