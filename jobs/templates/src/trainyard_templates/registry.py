"""The job kinds by name."""

from __future__ import annotations

import difflib

from trainyard_templates.base import Template
from trainyard_templates.function import Function
from trainyard_templates.image_classification import ImageClassification
from trainyard_templates.script import Script
from trainyard_templates.tabular import Tabular

TEMPLATES: dict[str, Template] = {template.name: template for template in (ImageClassification(), Tabular(), Script(), Function())}


class UnknownTemplate(LookupError):
    """No job kind has this name. `fix` says which do."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no template {name!r}")
        near = difflib.get_close_matches(name, TEMPLATES, n=1)
        self.fix = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(TEMPLATES)}"


def get(name: str) -> Template:
    """The job kind called `name`.

    Raises:
        UnknownTemplate: no kind has this name.
    """
    try:
        return TEMPLATES[name]
    except KeyError:
        raise UnknownTemplate(name) from None
