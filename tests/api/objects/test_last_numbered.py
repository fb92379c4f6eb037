"""The last of very many numbered objects is found in a store that can only list, without a listing of all."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trainyard_api.objects.base import ObjectInfo, ObjectStore

FOLDER, DIGITS = "logs/rank-0/", 12


class Listing(ObjectStore):
    """Only lists, and counts what it listed."""

    url = "memory:"

    def __init__(self, names: list[str]) -> None:
        self._keys = sorted(FOLDER + name for name in names)
        self.listings = self.listed = 0

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        self.listings += 1
        begin = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        for key in self._keys[begin:][:limit]:
            self.listed += 1
            yield ObjectInfo(key, 1)

    def _unused(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("only lists")

    put_bytes = put_file = get_bytes = get_file = delete_prefix = ping = _unused


def names_of(numbers: list[int]) -> list[str]:
    return [f"{number:0{DIGITS}d}.log" for number in numbers]


def last_of(store: Listing) -> str | None:
    found = store.last_numbered(FOLDER, DIGITS, ".log")
    return found and found.key.removeprefix(FOLDER)


def test_a_gigabyte_in_small_pieces() -> None:
    store = Listing(names_of([16_384 * number for number in range(65_536)]))
    assert last_of(store) == f"{16_384 * 65_535:012d}.log"
    assert store.listings <= 25
    assert store.listed <= 2_500


@given(
    st.lists(st.sampled_from([1, 2, 1_000, 16_384, 2**20]), min_size=1, max_size=30),
    st.integers(0, 10**6),
    st.lists(st.sampled_from(["0.log", "zzz", "000000500000.txt", "~", "999999999999.log"]), max_size=2),
)
def test_however_they_are_spread(steps: list[int], first: int, others: list[str]) -> None:
    numbers = [first]
    for step in steps:
        numbers.extend(numbers[-1] + step * count for count in range(1, 201))
    names = {*names_of(numbers), *others}
    assert last_of(Listing([*names])) == max(name for name in names if name.endswith(".log") and len(name) == DIGITS + 4)
