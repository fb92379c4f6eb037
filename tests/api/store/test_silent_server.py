"""A database server that the network has swallowed: nothing answers, and nothing is refused."""

import socket
import subprocess
import sys

_PING = """
import sys
from sqlalchemy.exc import OperationalError
from trainyard_api.store.database import Database
try:
    Database(sys.argv[1]).ping()
except OperationalError as error:
    print(str(error).splitlines()[0])
"""


def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up() -> None:
    """In a process of its own: without a bound libpq waits where no signal handler of Python runs."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://user:pass@127.0.0.1:{silent.getsockname()[1]}/trainyard"
        command = [sys.executable, "-c", _PING, url]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "timeout expired" in answer.stdout
