"""Who of many is in the way of the others, found by looking at ever smaller groups of them."""

from collections.abc import Callable, Collection, Mapping

from unlearning.errors import DataError

_TO_SPARE = 6


def in_the_way(check: Callable[[Collection[str]], None], subjects: Mapping[str, str]) -> set[str]:
    """Records whose subjects do not pass a check that all of them together do not pass.

    Whoever could not be told apart after a few looks more than one record takes is among them.

    Cost: two looks for each halving of their number, and a few to spare.
    """
    looks = 2 * len(subjects).bit_length() + _TO_SPARE
    found, todo = set[str](), _halves(sorted(subjects))
    while todo:
        some = todo.pop()
        if looks <= 0:
            found.update(some)
            continue
        looks -= 1
        try:
            check([subjects[record] for record in some])
        except DataError:
            if len(some) == 1:
                found.update(some)
            else:
                todo += _halves(some)
    return found


def _halves(records: list[str]) -> list[list[str]]:
    middle = len(records) // 2
    return [half for half in (records[:middle], records[middle:]) if half]
