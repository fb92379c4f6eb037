"""Options that most commands have, and the client behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trainyard.client import Client

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="TRAINYARD_URL", help="The server; by default the platform of this machine.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.", show_default=False)]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show state, metrics and log until the job ends; Ctrl-C detaches.")]
Parameter = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--parameter", metavar="KEY=VALUE", help="A parameter of the template, e.g. -p hidden=[64,32]; repeat it.", show_default=False
    ),
]
Tag = Annotated[list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="A label; repeat it.", show_default=False)]
Name = Annotated[str | None, typer.Option("--name", help="A name for people.", show_default=False)]
Team = Annotated[str | None, typer.Option("--team", help="Whose job it is.", show_default="the server's first team")]
Data = Annotated[
    str | None, typer.Option("--data", metavar="ID|FILE", help="A data set: its id, or a file or folder to upload.", show_default=False)
]
Image = Annotated[str | None, typer.Option("--image", help="Container image to run in, in a cluster.", show_default="the platform's own")]
Deadline = Annotated[
    str | None, typer.Option("--deadline", metavar="TIME", help="Stop an attempt after this long, e.g. 10m or 1h30m.", show_default=False)
]
Rank = Annotated[str | None, typer.Option("--rank", metavar="N|driver", help="Whose log.", show_default="0")]


def open_client(url: str | None) -> Client:
    """A client for the server that the options and the environment name. Raises InvalidInput."""
    from trainyard.client import Client

    return Client(url)
