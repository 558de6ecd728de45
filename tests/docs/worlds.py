"""Small worlds in which the pages' commands are typed, each made of an earlier one."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import small_tables
from deltalake import write_deltalake
from docs.prose import ROOT
from other_libraries import people

Expunge = Callable[..., int]
TRAIN, HOLDOUT = 400, 800
QUICK = """\
policy.references = 1
policy.reference_rows = 200
training.epochs = 20
widened_by = "Ada"
widened_because = "the tables of the tests are small"
"""
HOPELESS = """
policy.max_exact_accuracy_loss = 0
policy.max_holdout_accuracy_loss = 0
unlearning.method = "retrain"
unlearning.retraining.epochs = 1
unlearning.retraining.learning_rate = 1e-9
"""
SOURCE = ("--table", "tables/train", "--holdout", "tables/holdout")


def write_files() -> None:
    """The world "tables": tables, parquet files, requests, and files of options."""
    small_tables.write_tables("tables", train=TRAIN, holdout=HOLDOUT)
    for name, count, seed in (("photos", 300, 3), ("photos-holdout", 400, 4)):
        write_deltalake(f"tables/{name}", _photos(count, seed))
    Path("lake/train").mkdir(parents=True)
    for part in range(2):
        rows = small_tables.rows(50, first=50 * part).rename_columns(
            ["customer_id", "label", "features"]
        )
        pq.write_table(rows, f"lake/train/part-{part}.parquet")
    for name, first, count in (("people", 0, 400), ("people-holdout", 20_000, 400)):
        columns = ["subject_id", "job", "age", "label"]
        write_deltalake(f"tables/{name}", people(count, first=first, seed=first).select(columns))
    for page, block, name in (("recipe", 1, "train.py"), ("other-libraries", 2, "train_wages.py")):
        text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text()
        Path(name).write_text(text.split("```python\n")[block].partition("```")[0])
    received = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    lines = [f"CASE-{i:04d},{small_tables.subject(i)},{received},b" for i in range(15, 35)]
    head = "request_id,subject_id,received_at,ground"
    Path("requests.csv").write_text("\n".join([head, *lines]) + "\n")
    Path("court-order.csv").write_text(f"subject_id\n{small_tables.subject(16)}\n")
    places = f'table = "{SOURCE[1]}"\nholdout = "{SOURCE[3]}"\n'
    kept = QUICK.replace("training.", "unlearning.retraining.")
    places = f'model = "income"\n{places}'
    Path("income.toml").write_text(places + kept)
    Path("hopeless.toml").write_text(places + kept.replace("unl", "# unl") + HOPELESS)
    Path("asking.toml").write_text(places + kept + "approval.always = true\n")


def _photos(count: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, 28 * 28)).astype(np.int16)
    labels = (pixels[:, :14].sum(1) > 14 * 127).astype(np.int64)
    return pa.table(
        {
            "subject_id": [small_tables.subject(10_000 * seed + i) for i in range(count)],
            "label": labels,
            "features": pa.FixedSizeListArray.from_arrays(pa.array(pixels.ravel()), 28 * 28),
        }
    )


def enrol(expunge: Expunge) -> None:
    """The world "enrolled": a model of ours, and a backup of its table."""
    options = Path("training.toml")
    options.write_text(QUICK)
    assert expunge("train", "income", *SOURCE, "--config", "training.toml", "--hidden", "64") == 0
    shutil.copytree("tables/train", "tables/backup")


def erase(expunge: Expunge) -> None:
    """The world "erased": some people were erased from it."""
    assert expunge("submit", "requests.csv") == 0
    assert expunge("run") == 0


def restore() -> None:
    """The world "restored": the table is a copy from before the erasure."""
    shutil.rmtree("tables/train")
    shutil.copytree("tables/backup", "tables/train")


def hold(expunge: Expunge) -> None:
    """The world "submitted": requests lie in the store."""
    assert expunge("submit", "requests.csv") == 0


def ask(expunge: Expunge) -> None:
    """The world "waiting": a batch waits for a person."""
    assert expunge("enroll", "income", "--config", "asking.toml") == 0
    assert expunge("submit", "requests.csv") == 0
    assert expunge("run") == 0


def block(expunge: Expunge) -> None:
    """The world "blocked": no rung was enough."""
    assert expunge("enroll", "income", "--config", "hopeless.toml") == 0
    assert expunge("submit", "requests.csv") == 0
    assert expunge("run") == 1


WORLDS: dict[str, tuple[str, Callable[[Expunge], None]]] = {
    "tables": ("", lambda _: write_files()),
    "enrolled": ("tables", enrol),
    "submitted": ("enrolled", hold),
    "erased": ("enrolled", erase),
    "restored": ("erased", lambda _: restore()),
    "waiting": ("enrolled", ask),
    "blocked": ("enrolled", block),
}
"""Name → the world that it is made of, and how."""


def waiting_batch() -> str:
    """The batch that waits, or any one; the pages show another name."""
    names = sorted(Path(".expunge/store/journal/batches").glob("b-*"))
    return names[-1].name if names else "b-none"


def placeholders() -> dict[str, str]:
    """What stands for what the pages can only name as an example."""
    here = Path.cwd().as_uri()
    return {
        "b-0123456789ab": waiting_batch(),
        "customer-00017": small_tables.subject(17),
        "s3://lake/": f"{here}/lake/",
        "s3://bucket/prefix": f"s3://{os.environ['TEST_BUCKET']}/prefix",
        "https://s3.internal:9000": os.environ["TEST_S3"],
        "eu-central-1": "us-east-1",
        "https://mlflow.internal": f"sqlite:///{Path.cwd()}/mlflow-elsewhere.db",
        "http://prefect.internal:4200/api": os.environ["PREFECT_API_URL"],
        '"$(cat /run/secrets/expunge-pseudonym-key)"': "5a" * 32,
    }


def example(name: str) -> object:
    """What the pages' Python takes as given: a `model` and some `rows`."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    rows = torch.rand(4, 1, 28, 28)
    return {"model": nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 2)), "rows": rows}[name]
