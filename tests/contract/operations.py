"""The routes of the OpenAPI document, and the examples that it gives for each."""

from dataclasses import dataclass
from typing import Any

from buddy_api import reference
from contract.guide import route_key


@dataclass(frozen=True)
class Operation:
    """One route of the document."""

    key: str
    path: str
    method: str
    says: dict[str, Any]
    document: dict[str, Any]

    @property
    def statuses(self) -> set[str]:
        return set(self.says["responses"])

    @property
    def has_input(self) -> bool:
        return bool(self.says.get("parameters")) or "requestBody" in self.says

    def resolve(self, part: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in part:
            name = part["$ref"].rsplit("/", 1)[1]
            part = self.document["components"]["schemas"][name]
        return part

    def example(self, schema: dict[str, Any]) -> Any:
        """Return the example of a schema, put together from those of its parts."""
        schema = self.resolve(schema)
        for name, found in (
            ("example", schema.get("example")),
            ("examples", schema.get("examples", [None])[0]),
        ):
            if name in schema:
                return found
        for choice in ("anyOf", "oneOf"):
            parts = [part for part in schema.get(choice, []) if part.get("type") != "null"]
            if parts:
                return self.example(parts[0])
        if schema.get("type") == "array":
            return [self.example(schema["items"])]
        if "properties" in schema:
            return {name: self.example(part) for name, part in schema["properties"].items()}
        return schema.get("default")

    def answer(self, status: int) -> Any:
        """Return the example of the `data` of an answer."""
        content = self.says["responses"][str(status)]["content"]["application/json"]
        if "example" in content:
            return content["example"]["data"]
        return self.example(self.resolve(content["schema"])["properties"]["data"])


def all_operations() -> list[Operation]:
    """Return every route of the document."""
    document = reference.document()
    return [
        Operation(route_key(method.upper(), path), path, method.upper(), says, document)
        for path, methods in document["paths"].items()
        for method, says in methods.items()
    ]
