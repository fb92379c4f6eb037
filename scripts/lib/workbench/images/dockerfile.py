"""What a Dockerfile says about its inputs."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.paths import ROOT

_NOT_INPUTS = {"__pycache__", "node_modules"}


@dataclass(frozen=True)
class Dockerfile:
    """The instructions of one Dockerfile as (NAME, rest of the line), continued lines joined, comments left out."""

    instructions: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> "Dockerfile":
        """Read a Dockerfile's text."""
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
        found = [line.strip().split(None, 1) for line in joined.splitlines() if line.strip()]
        return cls(tuple((name.upper(), rest[0] if rest else "") for name, *rest in found))

    def all(self, name: str) -> list[str]:
        """What follows each instruction ``name``."""
        return [rest for instruction, rest in self.instructions if instruction == name]

    @property
    def stages(self) -> list[tuple[str, str | None]]:
        """Base image and stage name of each FROM, in order."""
        found = []
        for rest in self.all("FROM"):
            base, *more = rest.split()
            found.append((base, more[1] if len(more) == 2 else None))
        return found

    @property
    def user(self) -> str | None:
        """The last USER of the last stage."""
        last = max(index for index, (name, _) in enumerate(self.instructions) if name == "FROM")
        users = [rest for name, rest in self.instructions[last:] if name == "USER"]
        return users[-1] if users else None

    def copied(self, arguments: Mapping[str, str]) -> list[str]:
        """Paths below the checkout that are copied in; ``arguments`` are the build arguments named in them."""
        paths = []
        for rest in self.all("COPY"):
            words = shlex.split(rest)
            if not any(word.startswith("--from=") for word in words):
                paths += [word for word in words if not word.startswith("--")][:-1]
        return [re.sub(r"\$\{(\w+)\}", lambda match: arguments[match.group(1)], path) for path in paths]


def files_below(path: Path) -> list[Path]:
    """The file itself, or every file of the folder that a build may see. Raises WorkbenchError when there is nothing."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise WorkbenchError(f"{path.relative_to(ROOT)} does not exist, and an image is made of it")
    found = [file for file in path.rglob("*") if file.is_file() and not _NOT_INPUTS.intersection(file.relative_to(path).parts)]
    return [file for file in found if file.suffix != ".pyc"]
