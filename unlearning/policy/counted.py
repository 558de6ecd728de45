"""Numbers of things in words that a person reads."""

from collections.abc import Iterable


def counted(number: int, thing: str) -> str:
    """The number and the thing, in the plural where it is not one: 1 row, 2 rows."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def named(names: Iterable[str], things: str, most: int = 3) -> str:
    """The names in order, each once: a, b and c; of more than `most` only their number."""
    found = sorted(set(names))
    if len(found) > most:
        return f"{len(found):,} {things}"
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
