"""Vectors as a JSON document."""

from __future__ import annotations

from typing import Any

from memoracle.vectors.vector import NULLABLE, Given, Step, Vectors


def document(vectors: Vectors) -> dict[str, Any]:
    return {
        "memoracle": 1,
        "command": "vectors",
        "component": vectors.component,
        "law": dict(vectors.law),
        "geometry": vectors.stated,
        "page_size": vectors.geometry.page_size,
        "unit": vectors.unit,
        "vectors": [
            {"name": each.name, "clauses": each.clauses, "steps": [of_step(step) for step in each.steps]}
            for each in vectors.vectors
        ],
    }


def of_step(step: Step) -> dict[str, Any]:
    """What is not said holds of no step: `bytes` of 0, for example."""
    reference: dict[str, Any] = {"refuses": True} if step.reference.error is not None else {}
    is_answer = step.reference.result is not None or step.operation in NULLABLE
    if step.reference.error is None and is_answer and not step.anywhere:
        reference["result"] = step.reference.result
    return {
        "op": step.operation,
        "arguments": {key: of_argument(value) for key, value in step.arguments.items()},
        "requires": step.requires,
        **({} if step.legal is None else {"legal": step.legal}),
        **({"bytes": step.bytes} if step.bytes else {}),
        **({"released": [{"step": of, "bytes": size} for of, size in step.released]} if step.released else {}),
        **({"gives": True} if step.gives else {}),
        **({"within": step.within} if step.within and step.reference.error is None else {}),
        **({"alignment": step.alignment} if step.alignment > 1 and step.reference.error is None else {}),
        "reference": reference,
        "clauses": step.clauses,
    }


def of_argument(value: Any) -> Any:
    return {"step": value.step, "added": value.added} if isinstance(value, Given) else value
