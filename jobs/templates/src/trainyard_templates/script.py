"""`script`: the user's own program, run on every rank as torchrun would run it."""

from __future__ import annotations

from pathlib import PurePosixPath

from pydantic import Field, field_validator

from trainyard_templates.base import CodeParameters, CommonParameters, Template
from trainyard_templates.runspec import RunSpec


class ScriptParameters(CodeParameters):
    """A program and its arguments."""

    entry: str = Field(
        default="train.py", min_length=4, max_length=500, title="Entry file", description="Python file inside the uploaded code."
    )
    arguments: list[str] = Field(
        default=[], max_length=1000, title="Arguments", description="Arguments of the program, one per item; never passed through a shell."
    )

    @field_validator("entry")
    @classmethod
    def _inside_the_archive(cls, entry: str) -> str:
        path = PurePosixPath(entry)
        if path.is_absolute() or ".." in path.parts or "\\" in entry or "\0" in entry or path.suffix != ".py":
            raise ValueError(f"{entry!r} is not a Python file inside the code folder; give a relative path such as 'train.py'")
        return str(path)

    @field_validator("arguments")
    @classmethod
    def _printable(cls, arguments: list[str]) -> list[str]:
        if any("\0" in argument for argument in arguments):
            raise ValueError("an argument holds a NUL character, which no program can receive; remove it")
        return arguments


class Script(Template):
    """An unmodified torchrun program."""

    name = "script"
    title = "Your script"
    description = "A PyTorch program of your own, run on every worker exactly as under torchrun."
    needs_code = True
    parameters = ScriptParameters

    def render(self, parameters: CommonParameters, *, code_uri: str | None = None, data_uri: str | None = None) -> RunSpec:
        assert isinstance(parameters, ScriptParameters)  # noqa: S101 - narrows for mypy; validate() made it
        return RunSpec(
            kind="script",
            entry=parameters.entry,
            argv=parameters.arguments,
            code_uri=code_uri,
            data_uri=data_uri,
            resources=parameters.resources(),
            seed=parameters.seed,
            model_name=parameters.model_name,
            env=parameters.env,
            stall_seconds=parameters.stall_seconds,
        )

    def entry_file(self, parameters: CommonParameters) -> str | None:
        return parameters.entry if isinstance(parameters, ScriptParameters) else None
