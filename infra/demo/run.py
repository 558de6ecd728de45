"""The demo: census rows in a table, a model that memorised them, and people who ask to be erased.

Everything is real and stays below .demo/: table, MLflow, Prefect, store. Run it with `make demo`.
"""

import json
import os
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
HOME = Path(".demo").resolve()
MARKER = HOME / "made-by-the-demo"
MODEL = "census-income"
ROWS, HOLDOUT_ROWS = 4_000, 8_000
SUBJECTS = 300


def main() -> None:
    """Run the five scenes of the demo, one after the other."""
    started = time.monotonic()
    use_own_directory()
    scene(1, f"{ROWS:,} census rows become a Delta table (1 row = 1 person)")
    write_tables()
    scene(
        2,
        "A network learns them by heart and is registered in MLflow as champion",
    )
    expunge(
        "train", MODEL, "--table", str(HOME / "tables/train"),
        "--holdout", str(HOME / "tables/holdout"),
        "--epochs", "40", "--batch-size", "64", "--seed", "7",
    )  # fmt: skip
    scene(3, f"{SUBJECTS} people ask to be erased; some requests are not as they should be")
    submit_requests()
    scene(
        4, "One run: validate, resolve, unlearn, evaluate, gate, register, promote, erase, certify"
    )
    expunge("run")
    scene(5, "Where to look next")
    print_places()
    print(f"\nDone in {time.monotonic() - started:.0f} seconds.")


def use_own_directory() -> None:
    """Start from an empty .demo, and keep the person's own settings and services out of it."""
    for name in list(os.environ):
        if name.startswith(("EXPUNGE_", "MLFLOW_", "PREFECT_", "AWS_")):
            del os.environ[name]
    if HOME.exists() and not MARKER.exists():
        sys.exit(f"{HOME} was not made by the demo; move it away, then try again.")
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    MARKER.touch()
    os.environ["EXPUNGE_HOME"] = str(HOME)
    # So small a network gains nothing from threads, and they fight when the machine is busy.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def scene(number: int, text: str) -> None:
    """Announce what comes."""
    from rich.console import Console

    Console(highlight=False).print(f"\n[bold cyan]{number}/5[/] [bold]{text}[/]")


def expunge(*arguments: str) -> None:
    """Call the command line in this process, so that one Prefect server serves the whole demo."""
    from rich.console import Console

    from flows.cli import main as command_line

    Console(highlight=False).print(f"[dim]$ expunge {' '.join(arguments)}[/]")
    before, sys.argv = sys.argv, ["expunge", *arguments]
    try:
        command_line()
    except SystemExit as status:
        if status.code:
            raise
    finally:
        sys.argv = before


def write_tables() -> None:
    """Write training and holdout rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from deltalake import write_deltalake

    without_stats = {"delta.dataSkippingStatsColumns": "label"}
    for name, file, count in (
        ("train", "train.parquet", ROWS),
        ("holdout", "test.parquet", HOLDOUT_ROWS),
    ):
        rows = pq.read_table(HERE / "adult" / file).slice(0, count)
        table = pa.table(
            {
                "subject_id": [f"{name}-person-{i:06d}" for i in range(count)],
                "label": rows["label"],
                # Delta has no unsigned bytes; these are 0 and 1.
                "features": rows["features"].cast(pa.list_(pa.int8())),
            }
        )
        write_deltalake(str(HOME / "tables" / name), table, configuration=without_stats)
    print(f"Table {HOME / 'tables/train'}")


def submit_requests() -> None:
    """Submit valid requests and one of every kind of trouble."""
    now = datetime.now(UTC).replace(microsecond=0)

    def request(case: str, person: str, when: datetime) -> dict[str, str]:
        return {
            "request_id": case,
            "subject_id": person,
            "received_at": when.isoformat(),
            "ground": "b",
        }

    week_ago = now - timedelta(days=7)
    valid = [request(f"CASE-{i:04d}", f"train-person-{i:06d}", week_ago) for i in range(SUBJECTS)]
    held = request("CASE-1001", "train-person-003001", week_ago)
    rows = [
        *valid,
        valid[0],
        request("CASE-1000", "person-of-elsewhere", week_ago),
        held,
        request("CASE-1002", "train-person-003002", now + timedelta(days=30)),
        {"request_id": "CASE-1003", "received_at": week_ago.isoformat()},
    ]
    folder = HOME / "inbox"
    folder.mkdir(parents=True)
    (folder / "requests.jsonl").write_text(
        "\n".join([*(json.dumps(r) for r in rows), '{"request_id": "CASE-1004", "subj']) + "\n"
    )
    (folder / "broken.csv.gz").write_bytes(b"this is not gzip")
    (folder / "legal-hold.jsonl").write_text(json.dumps({"subject_id": held["subject_id"]}) + "\n")
    expunge("hold", str(folder / "legal-hold.jsonl"))
    expunge("submit", str(folder / "requests.jsonl"), str(folder / "broken.csv.gz"))


def print_places() -> None:
    """Print commands for everything a person may want to see."""
    (report,) = (HOME / "store/reports").rglob("erasure.html")
    certificate = HOME / "store/certificates/CASE-0000.json"
    prefix = f"EXPUNGE_HOME={HOME} .venv/bin"
    lines = {
        "Erasure report": f"{report}   (for people; open it in a browser)",
        "Validation report": str(report.with_name("validation.html")),
        "A certificate": str(certificate),
        "Every request": f"{prefix}/expunge status",
        "One subject": f"echo train-person-000000 | {prefix}/expunge trace --subject -",
        "A version's history": f"{prefix}/expunge trace --model {MODEL} --version 2",
        "MLflow and Prefect": "make ui   (http://127.0.0.1:5000 and http://127.0.0.1:4200)",
        "Run again": f"{prefix}/expunge run   (finds nothing new)",
    }
    for name, line in lines.items():
        print(f"  {name:<20} {line}")


if __name__ == "__main__":
    main()
