"""From the words of `trainyard submit` to a job kind, its parameters and the code to send."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainyard.errors import InvalidInput, NotFound
from trainyard.packing import Packed, packed_file, packed_folder
from trainyard.parameters import free_value, typed_parameters

if TYPE_CHECKING:
    from trainyard.client import Client

_USUAL_ENTRIES = ("train.py", "main.py")


@dataclass(frozen=True)
class Wanted:
    """What the user typed, not yet checked.

    Attributes:
        target: a template, or the path of a folder or a .py file.
        parameters: `-p`, as texts.
        config: `-c`, as texts; of a function.
        entry: the file to run.
        function: `module:function` to call.
        workers: training processes.
        arguments: of the script.
    """

    target: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    entry: str | None = None
    function: str | None = None
    workers: int | None = None
    arguments: Sequence[str] = ()


@dataclass(frozen=True)
class Prepared:
    """A submission that the client has checked as far as it can."""

    template: str
    parameters: dict[str, Any]
    code: Packed | None


@contextmanager
def prepare(client: Client, wanted: Wanted) -> Iterator[Prepared]:
    """Check the words, pack the code; its archive lives as long as the context.

    Raises:
        InvalidInput: names the option or parameter that is wrong.
        TrainyardError: the server cannot be asked for its templates.
    """
    path = _path_of(client, wanted.target)
    if path is None:
        _refuse_code_options(wanted)
        yield Prepared(wanted.target, _parameters(client, wanted.target, wanted), None)
        return
    template = "function" if wanted.function else "script"
    parameters = _parameters(client, template, wanted)
    with packed_folder(path) if path.is_dir() else packed_file(path) as packed:
        if wanted.function:
            if wanted.entry or wanted.arguments:
                raise InvalidInput("function", "a function has no --entry and no arguments", "give its config with -c key=value")
            parameters |= {"entry": _function(wanted.function, packed.names)}
            if wanted.config:
                parameters["config"] = {key: free_value(text) for key, text in wanted.config.items()}
        else:
            if wanted.config:
                raise InvalidInput("-c", "config belongs to a function", "add --function module:name, or write arguments after --")
            parameters |= {"entry": _script(wanted.entry or parameters.get("entry"), packed.names)}
            if wanted.arguments:
                parameters["arguments"] = list(wanted.arguments)
        yield Prepared(template, parameters, packed)


def _path_of(client: Client, target: str) -> Path | None:
    """The path that the target means; None when it names a template."""
    path = Path(target).expanduser()
    if os.sep in target or target in (".", "..") or target.startswith("~") or target.endswith(".py"):
        if path.is_dir() or (path.is_file() and path.suffix == ".py"):
            return path
        if path.exists():
            raise InvalidInput("target", f"{target} is neither a folder nor a .py file", "give the folder with your code, or its .py file")
        raise InvalidInput("target", f"there is no {target}", "give the path of a folder or .py file, or the name of a template")
    try:
        client.get_template(target)
    except NotFound:
        if path.is_dir():
            return path
        names = [template.name for template in client.list_templates()]
        near = difflib.get_close_matches(target, names, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(names)}, or the path of your code"
        raise InvalidInput("template", f"there is no template and no folder {target!r}", fix) from None
    return None


def _refuse_code_options(wanted: Wanted) -> None:
    given = [("--entry", wanted.entry), ("--function", wanted.function), ("-c", wanted.config), ("arguments after --", wanted.arguments)]
    for option, value in given:
        if value:
            fix = "give the path of your code in place of the template's name, or set parameters with -p"
            raise InvalidInput("target", f"{option} goes with code of your own, and {wanted.target!r} is a template", fix)


def _parameters(client: Client, template: str, wanted: Wanted) -> dict[str, Any]:
    found = typed_parameters(wanted.parameters, client.get_template(template).parameters, template=template)
    if wanted.workers is not None:
        found["workers"] = wanted.workers
    return found


def _script(entry: str | None, names: Sequence[str]) -> str:
    """The file to run: the one that was named, the usual one, or the only one."""
    scripts = [name for name in names if name.endswith(".py")]
    if entry is not None:
        named = Path(entry).as_posix()
        if named not in names:
            near = difflib.get_close_matches(named, scripts, n=1)
            fix = f"did you mean {near[0]!r}?" if near else "name a file relative to the folder, one that .trainyardignore keeps"
            raise InvalidInput("entry", f"the code has no file {named!r}", fix)
        return named
    top = [name for name in scripts if "/" not in name]
    likely: list[str] = [*_USUAL_ENTRIES, *(top if len(top) == 1 else [])]
    for name in likely:
        if name in top:
            return name
    found = ", ".join(top[:5]) or "no .py file at the top"
    raise InvalidInput("entry", f"which file is to run is not clear ({found})", "add --entry FILE.py")


def _function(function: str, names: Sequence[str]) -> str:
    module, colon, name = function.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), name)):
        raise InvalidInput("function", f"{function!r} is not module:function", "write it like train:main or package.module:train")
    path = module.replace(".", "/")
    if f"{path}.py" not in names and f"{path}/__init__.py" not in names:
        raise InvalidInput("function", f"the code has no module {module!r} ({path}.py)", "name a module of the folder that you submit")
    return function
