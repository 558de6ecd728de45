"""Faults that are told one by one: numbers, memory, files, clocks, people, other runs."""

import gzip
import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from matrix.invariants import Ending
from matrix.world import MODEL, UNUSABLE, Place, put_in
from small_tables import subject
from terminal import request

from tasks.environment.settings import load_settings
from tasks.registry.services import Services

_HELD = 1
"""The subject who is put on hold in the middle of a run; so far CASE-00001 is erased."""


@dataclass(frozen=True)
class Scenario:
    """What breaks in the first run, what people do about it, and what is right in the end."""

    name: str
    about: str
    spoil: Callable[[Place], None] = lambda _: None
    """Done in the first run's process before it begins."""
    on_call: Callable[[Place, int, str, str], None] | None = None
    """Done at every call of the first run; may raise, or end the process."""
    mend: Callable[[Place], None] = lambda _: None
    ending: Callable[[Place], Ending] = lambda _: Ending()


def once_at(label: str, side: str, act: Callable[[Place], None]) -> Any:
    """An `on_call` that acts at the first call with this label."""
    done: list[int] = []

    def on_call(place: Place, number: int, now: str, text: str) -> None:
        if not done and now == side and text.startswith(label):
            done.append(number)
            act(place)

    return on_call


def not_a_number(times: float) -> Callable[[Place], None]:
    """The first so many gradients that torch computes are not numbers."""

    def spoil(_: Place) -> None:
        import torch

        original, left = torch.autograd.grad, [times]

        def grad(*args: Any, **kwargs: Any) -> Any:
            parts = original(*args, **kwargs)
            left[0] -= 1
            return parts if left[0] < 0 else tuple(part * math.nan for part in parts)

        torch.autograd.grad = grad

    return spoil


def out_of_memory(rows: int) -> Callable[[Place], None]:
    """More than so many rows at once do not fit into memory; torch says so itself."""

    def spoil(_: Place) -> None:
        import torch

        from unlearning.model import forward

        original = forward.functional_call

        def call(model: Any, state: Any, inputs: tuple[Any, ...]) -> Any:
            if len(inputs[0]) > rows:
                torch.empty(2**60, dtype=torch.uint8)
            return original(model, state, inputs)

        forward.functional_call = call

    return spoil


def update_too_large(_: Place) -> None:
    """The update, and it alone, fits in no memory."""
    import torch

    from unlearning.methods import catalog

    def too_large(*_: Any) -> None:
        torch.empty(2**60, dtype=torch.uint8)

    catalog.METHODS = {**catalog.METHODS, "calibrated": too_large}


_POISON = {
    "bomb.json.gz": gzip.compress(b"[" * (129 << 20)),
    "deep.json": b"[" * 200_000,
    "not-text.jsonl": b'{"request_id": "\xff\xfe"}',
    "not-parquet.parquet": b"PAR1" + bytes(100) + b"PAR1",
    "huge.csv": b"request_id,subject_id,received_at\nCASE-1," + b"9" * 2_000_000 + b",now\n",
}


def poison(_: Place) -> None:
    """Files that were made to break their reader, beside the honest one."""

    services = Services.open(load_settings())
    for name, data in _POISON.items():
        services.store.put(f"requests/incoming/{name}", data)


def wrong_clock(hours: int) -> Callable[[Place], None]:
    """The first run's clock is wrong by so much; a request has come in a moment ago."""

    def spoil(place: Place) -> None:
        import time_machine

        submit(place, request(600, received_at=datetime.now(UTC).isoformat()), "moment")
        time_machine.travel(datetime.now(UTC) + timedelta(hours=hours), tick=True).start()

    return spoil


def submit(place: Place, row: dict[str, Any], name: str) -> None:
    """One more request."""
    file = place.base / f"{name}.jsonl"
    file.write_text(json.dumps(row))
    put_in(file, "requests/incoming/")


def hold(place: Place) -> None:
    """A legal hold placed at this moment."""
    file = place.base / "late-hold.jsonl"
    file.write_text(json.dumps({"subject_id": subject(_HELD)}))
    put_in(file, "requests/holds/")


def held_or_erased(_: Place) -> Ending:
    """The hold came in time, and the rows are all there; or too late, and all are gone."""
    from tasks.certificates.status import status

    states = {
        r["request_id"]: r["status"] for r in status(Services.open(load_settings()))["requests"]
    }
    ending = Ending()
    if states.get(f"CASE-{_HELD:05d}") != "on_hold":
        return ending
    found = {k: n for k, n in ending.requests.items() if k[0] != f"CASE-{_HELD:05d}"}
    # What was unlearned with the held subject is unlearned anew without.
    most = {**ending.most, "registry create_model_version": 2, _ALIAS: 2, "delta execute": 2}
    return replace(
        ending,
        requests={**found, (f"CASE-{_HELD:05d}", "on_hold"): 1},
        kept=frozenset({_HELD}),
        most=most,
    )


_ALIAS = "registry set_registered_model_alias"


def move_alias_by_hand(_: Place) -> None:
    """Somebody serves another version, of their own, with the weights of the first one."""
    registry = Services.open(load_settings()).registry
    client = registry.client
    first = client.get_model_version(MODEL, "1")
    made = client.create_model_version(MODEL, first.source, run_id=first.run_id)
    registry.set_alias(MODEL, int(made.version))


def move_alias_back(_: Place) -> None:
    """Somebody serves the first version, which remembers."""
    Services.open(load_settings()).registry.set_alias(MODEL, 1)


def train_again(place: Place) -> None:
    """Somebody trains and enrols the model anew, on the rows of the subjects as well."""
    command = "from pathlib import Path; from matrix.world import Place, enroll; import sys;"
    command += "place = Place(Path(sys.argv[1])); place.enter(); enroll(*place.tables())"
    subprocess.run([sys.executable, "-c", command, str(place.base)], check=True, timeout=1_200)


def again(place: Place) -> None:
    """The subject of a request that is answered asks once more."""
    submit(place, request(700, subject_id=subject(0)), "again")


def nothing_to_mend(_: Place) -> None:
    """The disturbed run came to its end by itself."""
    from tasks.subjects import open_batches

    if left := open_batches.unfinished(Services.open(load_settings())):
        raise AssertionError(f"{left} did not end in the run that was disturbed.")


def _more(status: str, case: str, count: int = 1) -> Callable[[Place], Ending]:
    return lambda _: Ending().with_requests({(case, status): count})


def _poisoned(_: Place) -> Ending:
    return Ending().with_requests({(UNUSABLE, "quarantined"): 1 + len(_POISON)})


def _most(**calls: int) -> Callable[[Place], Ending]:
    def ending(_: Place) -> Ending:
        one = Ending()
        more = {f"registry {name}": count for name, count in calls.items()}
        return replace(one, most={**one.most, **more})

    return ending


UNDISTURBED = Scenario("undisturbed", "nothing happens")
SCENARIOS = [
    Scenario("nan-once", "one gradient is not a number", not_a_number(1)),
    Scenario(
        "nan-always",
        "no gradient is a number: the model cannot be unlearned and is withdrawn",
        not_a_number(math.inf),
        ending=lambda _: replace(Ending(), is_served=False),
    ),
    Scenario("memory-short", "chunks of more than 16 rows do not fit", out_of_memory(16)),
    Scenario(
        "update-too-large",
        "it fits in no memory, a retrain does",
        update_too_large,
        mend=nothing_to_mend,
    ),
    Scenario("poison", "files made to break their reader", poison, ending=_poisoned),
    Scenario(
        "clock-fast", "26 hours fast", wrong_clock(26), ending=_more("not_found", "CASE-00600")
    ),
    Scenario(
        "clock-slow", "26 hours slow", wrong_clock(-26), ending=_more("not_found", "CASE-00600")
    ),
    Scenario("again", "already erased", mend=again, ending=_more("not_found", "CASE-00700")),
    Scenario(
        "alias-moved",
        "to a version of somebody's own before ours; people move it back",
        on_call=once_at("registry create_model_version", "after", move_alias_by_hand),
        mend=move_alias_back,
    ),
    Scenario(
        "alias-back",
        "to the first version, after ours",
        on_call=once_at("delta execute", "after", move_alias_back),
        ending=_most(set_registered_model_alias=2),
    ),
    Scenario(
        "parent-changed",
        "trained anew while its candidate is made",
        on_call=once_at("store put_if_absent candidates", "after", train_again),
        ending=_most(create_model_version=2, set_registered_model_alias=2),
    ),
    *(
        Scenario(
            f"hold-{number}",
            f"a hold placed before: {label} ({side})",
            on_call=once_at(label, side, hold),
            ending=held_or_erased,
        )
        for number, (label, side) in enumerate(
            [
                ("store put_if_absent candidates", "before"),
                ("registry create_model_version", "after"),
                (_ALIAS, "before"),
                (_ALIAS, "after"),
                ("delta execute", "before"),
                ("delta execute", "after"),
            ],
            1,
        )
    ),
]
