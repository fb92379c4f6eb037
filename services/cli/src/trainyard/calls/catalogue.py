"""Models, templates, teams and capacity."""

from __future__ import annotations

from urllib.parse import quote

from trainyard.calls.base import Calls, given
from trainyard.models import Capacity, Model, ModelVersion, Team, Template, TemplateSummary


class CatalogueCalls(Calls):
    """What the platform has to offer."""

    def list_models(self, *, name: str | None = None, limit: int | None = None) -> list[ModelVersion]:
        """Registered model versions, of one model or of all, newest first."""
        return self._many(ModelVersion, self._http.json("GET", "/models", params=given(name=name, limit=limit)))

    def get_model(self, name: str) -> Model:
        """A registered model with its versions and aliases."""
        return self._one(Model, self._http.json("GET", f"/models/{quote(name, safe='')}"))

    def set_alias(self, name: str, alias: str, version: str) -> Model:
        """Let an alias of a model lead to a version; the model afterwards."""
        return self._one(Model, self._http.json("PUT", _alias(name, alias), json={"version": version}, repeatable=True))

    def delete_alias(self, name: str, alias: str) -> None:
        """Take an alias of a model away."""
        self._http.json("DELETE", _alias(name, alias))

    def list_templates(self) -> list[TemplateSummary]:
        """The job kinds."""
        return self._many(TemplateSummary, self._http.json("GET", "/templates"))

    def get_template(self, name: str) -> Template:
        """One job kind, with its parameters' schema."""
        return self._one(Template, self._http.json("GET", f"/templates/{quote(name, safe='')}"))

    def list_teams(self) -> list[Team]:
        """The teams; the first is that of jobs that name none."""
        return list(self._many(Team, self._http.json("GET", "/teams")))

    def capacity(self) -> Capacity:
        """What the engine has, and has free."""
        return self._one(Capacity, self._http.json("GET", "/capacity"))


def _alias(name: str, alias: str) -> str:
    return f"/models/{quote(name, safe='')}/aliases/{quote(alias, safe='')}"
