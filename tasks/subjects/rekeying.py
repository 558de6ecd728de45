"""Every pseudonym of a store replaced by the one that a further key makes of it.

A pseudonym under one key more is made of the pseudonym itself (`unlearning.policy.digests`), so
nobody needs the ids, which are long gone. First a map of all old pseudonyms is made, and of the
digests that could tell of one; then each is replaced wherever it stands, in keys and in texts. What
is new is in no map, so that the replacing can stop anywhere and be done again.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import Any

from tasks.store import lease
from tasks.store.objects import MissingObjectError, ObjectInfo, ObjectStore
from unlearning.errors import DataError
from unlearning.policy.digests import SHORT, bytes_digest, rekeyed

Tokens = dict[str, str]
"""What becomes of each old pseudonym and digest; as many digits as before."""

_PSEUDONYM = re.compile(r"[0-9a-f]{32}\Z")
_NAMED = ("subject", "spelling", "subject_pseudonym", "key")
_NAMING = ("subjects", "earlier", "rows")
_CERTIFICATES, _IDS, _DROPPED = "certificates/", "requests/ids/", ("packs/", "scans/")
_OURS = (
    *(
        "batches/",
        "journal/",
        "suppression/",
        "relearned/",
        "returned/",
        "reports/",
        _CERTIFICATES,
        _IDS,
    ),
    *("requests/open/", "requests/batches/", "requests/claims/", "requests/quarantine/"),
    "requests/incoming/submitted/replay-",
)
"""Where pseudonyms and digests of them stand as text; nothing else is read or changed."""
_HOLDING = ("batches/", "journal/sheets/", "suppression/", "relearned/", "returned/", _CERTIFICATES)
_DIGESTS = ("suppression/without/", "suppression/also/", "relearned/")
"""Below these, an object's name is a digest of the pseudonyms in it."""
_DIGEST = re.compile(r"/([0-9a-f]{12})\.json\Z")
_ROWS = re.compile(r"hmac-sha256:([0-9a-f]{64})")
_REPLAY = re.compile(r"replay-[0-9a-f]{32}-([0-9a-f]{12})")
_REPLAYS = re.compile(r"replay-([0-9a-f]{12})\.jsonl")
_RUN = re.compile(r"(?<![0-9a-f])[0-9a-f]{12,}(?![0-9a-f])")
_SIZES = (64, 32)
_AT_ONCE = 256
_WORKERS = 16


def make_map(store: ObjectStore, key: bytes) -> Tokens:
    """What each pseudonym of the store becomes under one key more, and each digest of them.

    Cost: one read of every text, and another one of every certificate.

    Raises:
        DataError: one that holds pseudonyms is damaged.
    """
    tokens: Tokens = {}
    replays: set[str] = set()
    for info, text in _texts(store, _OURS):
        if info.key.startswith(_HOLDING):
            for one in _pseudonyms(_parsed(info.key, text)):
                tokens[one] = rekeyed(key, one)
        if info.key.startswith(_IDS) and _PSEUDONYM.match(who := text.rpartition(" ")[2]):
            tokens[who] = rekeyed(key, who)
        if info.key.startswith(_DIGESTS) and (named := _DIGEST.search(info.key)):
            _add(tokens, key, named[1])
        whole = f"{info.key}\n{text}"
        for digest in (*_ROWS.findall(text), *_REPLAY.findall(whole), *_REPLAYS.findall(whole)):
            _add(tokens, key, digest)
        replays.update(one[0] for one in _REPLAY.finditer(whole))
    certificates = (text for _, text in _texts(store, (_CERTIFICATES,)))
    changed = {  # request ids stand as digests in the store, certificates in the journal
        bytes_digest(_bytes(text)): bytes_digest(_bytes(replaced(text, tokens)))
        for text in chain(replays, certificates)
    }
    return tokens | {old: new for old, new in changed.items() if old != new}


def replaced(text: str, tokens: Tokens) -> str:
    """The text with every old pseudonym and digest as it is now."""
    return _RUN.sub(lambda run: _now(run[0], tokens), text)


def rekey_objects(store: ObjectStore, tokens: Tokens) -> None:
    """Write every object anew that names an old pseudonym, and drop what can be made again.

    Raises:
        ConflictError: another run took over.
    """
    for prefix in _DROPPED:
        _each(store, prefix, lambda info: store.delete(info.key))
    for prefix in _OURS:
        _each(store, prefix, lambda info: _rekey(store, info, tokens))
    for prefix in (*_OURS, *_DROPPED):
        store.purge_noncurrent(prefix)


def _rekey(store: ObjectStore, info: ObjectInfo, tokens: Tokens) -> None:
    text = _text(store, info)
    if text is None:
        return
    key, now = replaced(info.key, tokens), replaced(text, tokens)
    if (key, now) == (info.key, text):
        return
    lease.check(store)
    store.put(key, _bytes(now))
    if key != info.key:
        store.delete(info.key)


def _each(store: ObjectStore, prefix: str, work: Callable[[ObjectInfo], None]) -> None:
    rest = iter(list(store.list_objects(prefix)))
    with ThreadPoolExecutor(_WORKERS) as pool:
        while some := list(islice(rest, _AT_ONCE)):
            lease.check(store)
            list(pool.map(work, some))


def _texts(store: ObjectStore, prefixes: Iterable[str]) -> Iterator[tuple[ObjectInfo, str]]:
    rest = iter([info for prefix in prefixes for info in store.list_objects(prefix)])
    with ThreadPoolExecutor(_WORKERS) as pool:
        while some := list(islice(rest, _AT_ONCE)):
            for info, text in zip(some, pool.map(lambda i: _text(store, i), some), strict=True):
                if text is not None:
                    yield info, text


def _text(store: ObjectStore, info: ObjectInfo) -> str | None:
    """The object's text; None if it is gone, or was never ours."""
    if info.is_link or info.is_folder:
        return None
    try:
        return store.get(info.key).decode(errors="surrogateescape")
    except MissingObjectError:  # a file of requests, whose sender may do with it as they like
        return None


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _pseudonyms(value: Any) -> Iterator[str]:
    """Every pseudonym in a value: what stands in the places that hold them, and looks like one."""
    if isinstance(value, list):
        for one in value:
            yield from _pseudonyms(one)
    elif isinstance(value, dict):
        for name, held in value.items():
            told = [*([held] if name in _NAMED else []), *(_names(held) if name in _NAMING else ())]
            yield from (one for one in told if isinstance(one, str) and _PSEUDONYM.match(one))
            yield from _pseudonyms(held)


def _names(held: Any) -> list[Any]:
    return list(held) if isinstance(held, list | dict) else []


def _parsed(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(
            f"{key} in the store is damaged, and may name people; restore it, then run again."
        ) from error


def _add(tokens: Tokens, key: bytes, digest: str) -> None:
    """An old digest gets any other one: it is a name, and nobody makes it again."""
    made = rekeyed(key, digest) + rekeyed(key, f"{digest}+")
    tokens[digest] = made[: len(digest)]


def _now(run: str, tokens: Tokens) -> str:
    """A run of hexadecimal digits as it is now; beside a pseudonym may stand other digits."""
    if run in tokens or len(run) == SHORT:
        return tokens.get(run, run)
    for size in _SIZES:
        for start in range(len(run) - size + 1):
            if (now := tokens.get(run[start : start + size])) is not None:
                return run[:start] + now + _now(run[start + size :], tokens)
    return run
