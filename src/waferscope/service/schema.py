"""What all schemas share: strict questions, answers from rows, pages of a list."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")


class Question(BaseModel):
    """A request body: unknown fields are refused, so that a typing error is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """A response body; may be built from a row of the same field names."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Page(Answer, Generic[Item]):
    """A part of a list. ``next`` is the cursor of what follows; None at the end."""

    items: list[Item]
    next: str | None = Field(description="give it as `cursor` to go on; null at the end")


def inlined(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model without references, for a body described by hand.

    The model may not contain itself.
    """
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def whole(node: Any) -> Any:
        if isinstance(node, list):
            return [whole(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            rest = {name: value for name, value in node.items() if name != "$ref"}
            return whole(parts[node["$ref"].rsplit("/", 1)[1]]) | rest
        return {name: whole(value) for name, value in node.items()}

    found: dict[str, Any] = whole(schema)
    return found
