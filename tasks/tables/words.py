"""Ids as whole words in bytes and texts."""

import re
from collections.abc import Iterable, Iterator

import numpy as np

SHORTEST_WORD = 8
"""Bytes of the shortest id that is looked for as a word; chance makes shorter ones anywhere."""

_ASCII = bytes(b for b in range(128) if chr(b).isalnum() or chr(b) in "_-.@+")
_LETTERS = _ASCII + bytes(range(128, 256))
_WORD = re.compile(b"[%s]{%d,}" % (re.escape(_LETTERS), SHORTEST_WORD))
_DOUBLED = (1, 2, 4)


class Words:
    """Ids as whole words in bytes: `customer-1` is not found in `customer-10`.

    Any number of ids costs one pass. Ids that chance would find, short ones and plain numbers, and
    those that are more than one word are left out.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids = {i.encode() for i in ids if is_word(i)}
        self._longest = max(map(len, self._ids), default=0)
        self._letters = _ASCII if all(map(bytes.isascii, self._ids)) else _LETTERS
        self._marks = bytes(byte in self._letters for byte in range(256))
        self._lengths = sorted({len(one) for one in self._ids})

    def __len__(self) -> int:
        return len(self._ids)

    def within(self, texts: Iterable[str]) -> bool:
        """Whether one of the texts holds an id."""
        return any(self._among(text.encode(errors="replace")) for text in texts)

    def found(self, chunks: Iterable[bytes]) -> bool:
        """Whether the chunks, put together, hold an id; a word may lie across their borders."""
        if not self._ids:
            return False
        rest = b""
        for chunk in chunks:
            data = rest + chunk
            # The last run may go on in the next chunk; one longer than any id stays too long.
            cut = len(data.rstrip(self._letters))
            rest = data[cut:][-self._longest - 1 :]
            if self._among(data[:cut]):
                return True
        return self._among(rest)

    def _among(self, data: bytes) -> bool:
        return bool(self._ids) and not self._ids.isdisjoint(self._runs(data))

    def _runs(self, data: bytes) -> Iterator[bytes]:
        """Maximal runs of letters that are as long as one of the words."""
        inside = np.frombuffer(data.translate(self._marks), np.bool_)
        for width in _DOUBLED:  # then each place tells of the eight bytes that begin there
            inside = inside[:-width] & inside[width:]
        places = np.flatnonzero(inside)
        if not len(places):
            return
        gaps = np.flatnonzero(np.diff(places) > 1)
        firsts, lasts = places[np.r_[0, gaps + 1]], places[np.r_[gaps, -1]]
        fits = np.isin(lasts - firsts + SHORTEST_WORD, self._lengths)
        for first, last in zip(firsts[fits].tolist(), lasts[fits].tolist(), strict=True):
            yield data[first : last + SHORTEST_WORD]


def is_word(text: str) -> bool:
    """Whether an id is one word, and has a chance of its own: neither short nor a plain number."""
    return bool(_WORD.fullmatch(text.encode())) and not (text.isascii() and text.isdigit())
