"""`function`: `module:function(config)` of the user's code, called on every rank."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from trainyard_templates.base import CodeParameters, CommonParameters, Template
from trainyard_templates.runspec import RunSpec


class FunctionParameters(CodeParameters):
    """A function and its one argument."""

    entry: str = Field(
        default="train:main",
        max_length=500,
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
        title="Function",
        description="module:function inside the uploaded code; it gets the config as its only argument.",
    )
    config: dict[str, Any] = Field(default={}, title="Config", description="Passed to the function and recorded as hyper-parameters.")


class Function(Template):
    """A function of the user's code."""

    name = "function"
    title = "Your function"
    description = "A function of your own, called with its config on every worker; torch.distributed is one call away."
    needs_code = True
    parameters = FunctionParameters

    def render(self, parameters: CommonParameters, *, code_uri: str | None = None, data_uri: str | None = None) -> RunSpec:
        assert isinstance(parameters, FunctionParameters)  # noqa: S101 - narrows for mypy; validate() made it
        return RunSpec(
            kind="function",
            entry=parameters.entry,
            config=parameters.config,
            code_uri=code_uri,
            data_uri=data_uri,
            resources=parameters.resources(),
            seed=parameters.seed,
            model_name=parameters.model_name,
            env=parameters.env,
            stall_seconds=parameters.stall_seconds,
        )

    def entry_file(self, parameters: CommonParameters) -> str | None:
        if not isinstance(parameters, FunctionParameters):
            return None
        return parameters.entry.partition(":")[0].replace(".", "/") + ".py"
