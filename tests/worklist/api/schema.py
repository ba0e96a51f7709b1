"""Holds answers against the site's own OpenAPI document: exactly its fields, types and enumerations."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import jsonschema
from drf_spectacular.generators import SchemaGenerator


def assert_matches(document: Any, component: str) -> None:
    """Fail unless `document` is as the component of this name says, without anything more."""
    schema = {"$ref": f"#/components/schemas/{component}", "components": _components()}
    jsonschema.Draft202012Validator(schema).validate(document)


@cache
def _components() -> dict[str, Any]:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return _strict(copy.deepcopy(schema["components"]))


def _strict(node: Any) -> Any:
    """OpenAPI 3.0 to JSON Schema: `nullable` becomes a choice, and objects take no further fields."""
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {name: _strict(value) for name, value in node.items()}
    if node.get("type") == "object" and "properties" in node:
        node["additionalProperties"] = False
    if node.pop("nullable", False):
        return {"anyOf": [node, {"type": "null"}]}
    return node
