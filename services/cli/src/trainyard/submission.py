"""From the words of `trainyard submit` to a job kind, its parameters and the code to send."""

from __future__ import annotations

import difflib
import os
import posixpath
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
        target: a template, or the path of a folder or a .py file; with `git`, a folder of the repository.
        parameters: `-p`, as texts.
        config: `-c`, as texts; of a function.
        entry: the file to run.
        function: `module:function` to call.
        workers: training processes.
        arguments: of the script.
        git: `URL` or `URL@REF` of a repository.
    """

    target: str | None
    parameters: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    entry: str | None = None
    function: str | None = None
    workers: int | None = None
    arguments: Sequence[str] = ()
    git: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A submission that the client has checked as far as it can; `upload` is the id of code that the server has already."""

    template: str
    parameters: dict[str, Any]
    code: Packed | None = None
    upload: str | None = None


@contextmanager
def prepare(client: Client, wanted: Wanted) -> Iterator[Prepared]:
    """Check the words, pack the code; its archive lives as long as the context.

    Raises:
        InvalidInput: names the option or parameter that is wrong.
        TrainyardError: the server cannot be asked for its templates.
    """
    if wanted.git is not None:
        yield _from_git(client, wanted, wanted.git)
        return
    if wanted.target is None:
        raise InvalidInput("target", "what is to run is not named", "give a template, the path of a folder or .py file, or --git URL")
    path = _path_of(client, wanted.target)
    if path is None:
        _refuse_code_options(wanted)
        yield Prepared(wanted.target, _parameters(client, wanted.target, wanted))
        return
    template = _template(wanted)
    parameters = _parameters(client, template, wanted)
    with packed_folder(path) if path.is_dir() else packed_file(path) as packed:
        yield Prepared(template, _with_entry(wanted, parameters, packed.names), packed)


def git_place(text: str) -> tuple[str, str]:
    """`URL` or `URL@REF` as the address and the ref. Raises InvalidInput."""
    scheme, slashes, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    if scheme != "https" or not slashes or not slash or "@" in host:
        raise InvalidInput("--git", f"{text!r} is no https address without a user name", "write it like https://host/team/project.git@main")
    path, at, ref = path.partition("@")
    if at and not ref:
        raise InvalidInput("--git", f"{text!r} names nothing after the @", "name a branch, a tag or a full commit id")
    return f"https://{host}/{path}", ref or "HEAD"


def _from_git(client: Client, wanted: Wanted, git: str) -> Prepared:
    """The same of code that the server fetches itself."""
    url, ref = git_place(git)
    if wanted.target is not None and wanted.target.startswith("-"):
        raise InvalidInput(
            "target", f"{wanted.target!r} is no folder of the repository", "write the folder, or . for the whole, before the --"
        )
    folder = None if wanted.target is None else posixpath.normpath(wanted.target)
    template = _template(wanted)
    parameters = _parameters(client, template, wanted)
    upload = client.fetch_code(url, ref, folder=None if folder == "." else folder)
    return Prepared(template, _with_entry(wanted, parameters, upload.files), upload=upload.id)


def _template(wanted: Wanted) -> str:
    return "function" if wanted.function else "script"


def _with_entry(wanted: Wanted, parameters: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The parameters with what is to run of the code that has these files, and what it gets."""
    if wanted.function:
        if wanted.entry or wanted.arguments:
            raise InvalidInput("function", "a function has no --entry and no arguments", "give its config with -c key=value")
        parameters |= {"entry": _function(wanted.function, names)}
        if wanted.config:
            parameters["config"] = {key: free_value(text) for key, text in wanted.config.items()}
    else:
        if wanted.config:
            raise InvalidInput("-c", "config belongs to a function", "add --function module:name, or write arguments after --")
        parameters |= {"entry": _script(wanted.entry or parameters.get("entry"), names)}
        if wanted.arguments:
            parameters["arguments"] = list(wanted.arguments)
    return parameters


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
