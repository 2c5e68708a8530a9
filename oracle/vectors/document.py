"""Vectors as a JSON document."""

from __future__ import annotations

from typing import Any

from memoracle.vectors.vector import Given, Step, Vectors


def document(vectors: Vectors) -> dict[str, Any]:
    return {
        "memoracle": 1,
        "command": "vectors",
        "component": vectors.component,
        "law": dict(vectors.law),
        "geometry": vectors.stated,
        "page_size": vectors.geometry.page_size,
        "vectors": [
            {"name": each.name, "clauses": each.clauses, "steps": [of_step(step) for step in each.steps]}
            for each in vectors.vectors
        ],
    }


def of_step(step: Step) -> dict[str, Any]:
    """What is not said holds of no step: `bytes` of 0, for example."""
    reference: dict[str, Any] = {"refuses": True} if step.reference.error is not None else {}
    if step.reference.error is None and step.reference.result is not None:
        reference["result"] = step.reference.result
    return {
        "op": step.operation,
        "arguments": {key: of_argument(value) for key, value in step.arguments.items()},
        "requires": step.requires,
        **({} if step.legal is None else {"legal": step.legal}),
        **({"bytes": step.bytes} if step.bytes else {}),
        **({"gives": True} if step.gives else {}),
        "reference": reference,
        "clauses": step.clauses,
    }


def of_argument(value: Any) -> Any:
    return {"step": value.step, "added": value.added} if isinstance(value, Given) else value
