"""What a process writes into its log comes to the object store at once, whole, and in few pieces."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import wait_for

from trainyard_train.logs import CHUNK_BYTES, LOG_PIECE_BYTES, LogShipper, log_gap_seconds


class Store:
    """Objects by name; refuses while told to, and counts what it is asked."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.refuses = threading.Event()

    def put(self, key: str, content: bytes) -> None:
        self.puts.append(key)
        if self.refuses.is_set():
            raise OSError("refused")
        self.objects[key] = content

    @property
    def log(self) -> bytes:
        """As readers put the pieces together: each up to where the next one begins."""
        starts = {int(Path(key).stem): content for key, content in sorted(self.objects.items())}
        whole = b""
        for start, content in starts.items():
            assert start <= len(whole), "a gap"
            whole = whole[:start] + content
        return whole


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "rank-0.log"


@pytest.fixture
def shipper(store: Store, log: Path) -> Iterator[LogShipper]:
    """With no pause to speak of."""
    one = LogShipper(log, "logs", store.put, gap=0.001)
    yield one
    one.close(0)


def write(log: Path, content: bytes) -> None:
    with log.open("ab") as file:
        file.write(content)


def test_what_is_there_is_sent_before_any_pause(store: Store, log: Path) -> None:
    write(log, b"one\n")
    shipper = LogShipper(log, "logs", store.put, gap=60.0)
    wait_for("the first piece", lambda: store.log == b"one\n")  # unasked: `catch_up` would cut the pause short
    write(log, b"two\n")
    assert shipper.close(0)
    assert store.log == b"one\ntwo\n"


def test_many_small_lines_make_few_pieces(store: Store, log: Path, shipper: LogShipper) -> None:
    lines = [f"step {number}: loss 0.123\n".encode() for number in range(3000)]
    for number, line in enumerate(lines):
        write(log, line)
        if number % 10 == 0:
            assert shipper.catch_up(20)
    assert shipper.close()
    whole = b"".join(lines)
    assert store.log == whole
    assert len(store.puts) > 200
    assert len(store.objects) <= len(whole) / LOG_PIECE_BYTES + 1


def test_much_at_once_comes_in_large_pieces(store: Store, log: Path) -> None:
    write(log, b"x" * (3 * CHUNK_BYTES) + b"a few words\n")
    assert LogShipper(log, "logs", store.put).close()
    assert store.log == log.read_bytes()
    assert len(store.objects) == 4


def test_what_the_store_refused_is_sent_again(store: Store, log: Path, shipper: LogShipper) -> None:
    write(log, b"one\n")
    assert shipper.catch_up(20)
    store.refuses.set()
    write(log, b"two\n")
    wait_for("two refusals", lambda: len(store.puts) >= 3)
    assert not shipper.catch_up(0.01)
    store.refuses.clear()
    assert shipper.catch_up(20)
    assert store.log == b"one\ntwo\n"


def test_records_are_pieces_that_stay_as_they_are(store: Store, log: Path) -> None:
    shipper = LogShipper(log, "records", store.put, gap=0.001, piece_bytes=0)
    for number in range(3):
        write(log, f"{number}\n".encode())
        assert shipper.catch_up(20)
    assert shipper.close()
    assert list(store.objects.values()) == [b"0\n", b"1\n", b"2\n"]


def test_a_job_of_many_ranks_does_not_ask_more_of_the_store_than_it_bears() -> None:
    assert log_gap_seconds(1) == log_gap_seconds(8) == 0.1
    assert 32 / log_gap_seconds(32) == pytest.approx(80)
    assert log_gap_seconds(1000) == 1.0
