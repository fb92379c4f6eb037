"""Small things that every started server needs."""

import signal
import socket
import subprocess


class ServerUnavailable(Exception):
    """The real server cannot be had on this machine; the message says why and what to do."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM, *, seconds: float = 10) -> None:
    """Ask the process to end, and make it end when it has not after ``seconds``."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
