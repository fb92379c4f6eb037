"""The commands of `trainyard`. Their modules import httpx, pydantic and rich only when a command runs, so that `--help` is quick."""
