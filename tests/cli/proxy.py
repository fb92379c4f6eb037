"""A line to a server that tests can cut: what has passed stays, the rest of the connection is gone."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class CuttableLine:
    """Forwards TCP connections; each is cut after ``cut_after`` bytes of answers, for the next ``cuts`` connections."""

    def __init__(self, target: str) -> None:
        split = urlsplit(target)
        self._target = (split.hostname, split.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut_after, self.cuts, self.connections = 0, 0, 0
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut everything, and take no more."""
        self._listener.close()
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            limit = None
            if self.cuts > 0:
                self.cuts -= 1
                limit = self.cut_after
            far = socket.create_connection(self._target)
            self._open |= {near, far}
            threading.Thread(target=self._forward, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self._forward, args=(far, near, limit), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, limit: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while limit is None or passed < limit:
                content = source.recv(4096 if limit is None else min(4096, limit - passed))
                if not content:
                    break
                passed += len(content)
                target.sendall(content)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            self._open.discard(end)


@contextmanager
def cuttable_line(target: str) -> Iterator[CuttableLine]:
    """A line to the server at this URL."""
    line = CuttableLine(target)
    try:
        yield line
    finally:
        line.close()
