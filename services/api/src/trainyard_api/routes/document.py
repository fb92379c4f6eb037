"""The OpenAPI 3.1 document: what flask-openapi collects from the routes, with the models' own JSON Schemas."""

from typing import Any, cast

from flask import Flask
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel

from trainyard_api.routes.schemas.base import ApiModel, RequestBody
from trainyard_api.routes.security import OPEN_PATHS

_REF = "#/components/schemas/{model}"


def document(app: Flask) -> dict[str, Any]:
    """The document of the app, the same for every start."""
    collected = cast(OpenAPI, app).api_doc
    paths = {path: {method: _operation(path, operation) for method, operation in item.items()} for path, item in collected["paths"].items()}
    return {
        "openapi": "3.1.1",
        "info": collected["info"],
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "security": [{"token": []}],
        "tags": collected["tags"],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(_schemas(ApiModel).items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """One operation; those that need no token say so."""
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _without_null(parameter["schema"])
    operation["responses"] = dict(sorted(operation["responses"].items()))
    if path in OPEN_PATHS:
        operation = {**operation, "security": []}
        operation["responses"].pop("401", None)
    return operation


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that may be left out; there is no way to write null in a query or a header."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind.get("type") != "null"]
    if len(kinds) != 1:
        return schema
    return {**{key: value for key, value in schema.items() if key not in ("anyOf", "default")}, **kinds[0]}


def _schemas(base: type[BaseModel]) -> dict[str, Any]:
    """The schemas of every model below ``base``: flask-openapi's own copies lack what it does not know, such as propertyNames."""
    schemas: dict[str, Any] = {}
    for model in base.__subclasses__():
        mode = "validation" if issubclass(model, RequestBody) else "serialization"
        if model.model_fields:
            schema = model.model_json_schema(ref_template=_REF, mode=cast(Any, mode))
            schemas.update(schema.pop("$defs", {}))
            schemas[schema["title"]] = schema
        schemas.update(_schemas(model))
    return schemas
