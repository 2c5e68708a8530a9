"""Vectors as a file of tests for pytest, which needs nothing but pytest and the object to be tested."""

from __future__ import annotations

import json

from memoracle.drive.binding import Binding
from memoracle.trace.inputs import InputError
from memoracle.vectors.document import document
from memoracle.vectors.vector import Vectors

RUNNER = '''"""What the law of {component} requires of a memory manager (memoracle {version}, law {digest}).

Set MEMORACLE_TARGET=module:name: an object, or what makes one; or define a fixture `memoracle_target` that returns one.
Its methods are the operations, with `_` for the dot; one refuses by any exception, and returns the answer otherwise.
MEMORACLE_LEVEL=exact: it must choose what the reference chooses.
"""

import importlib
import json
import os

import pytest

VECTORS = json.loads(r"""
{document}
""")
UNIT = VECTORS["unit"]
EXACT = os.environ.get("MEMORACLE_LEVEL") == "exact"


@pytest.fixture
def memoracle_target():
    if "MEMORACLE_TARGET" not in os.environ:
        pytest.skip("MEMORACLE_TARGET=module:name says what is tested")
    module, _, name = os.environ["MEMORACLE_TARGET"].partition(":")
    found = getattr(importlib.import_module(module), name)
    return found() if callable(found) else found


def called(target, step, given):
    """The answer, and whether the call was refused."""
    arguments = {{}}
    for key, value in step["arguments"].items():
        arguments[key] = given[value["step"]] + value["added"] if isinstance(value, dict) else value
    try:
        return arguments, getattr(target, step["op"].replace(".", "_"))(**arguments), False
    except Exception as refusal:
        if isinstance(refusal, (AttributeError, TypeError)):
            raise
        return arguments, None, True


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_vector(vector, memoracle_target):
    given, pages, numbers = {{}}, set(), set()
    for place, step in enumerate(vector["steps"]):
        if not EXACT and step["requires"] is None:
            continue
        arguments, answer, refused = called(memoracle_target, step, given)
        family = step["op"].partition(".")[2]
        clauses = ", ".join(step["clauses"])
        where = "step %d: %s %s [%s]" % (place, step["op"], arguments, clauses)
        reference = step["reference"]
        must_refuse = "refuses" in reference if EXACT else step["requires"] == "refusal"
        assert refused == must_refuse, "%s: it must %s" % (where, "be refused" if must_refuse else "succeed")
        if refused:
            continue
        given[place] = answer
        if EXACT and "result" in reference and not step.get("gives"):
            assert answer == reference["result"], "%s: the reference answers otherwise" % where
        elif "legal" in step:
            assert answer in step["legal"], "%s: %r is no legal answer" % (where, answer)
        if step.get("gives"):
            assert answer not in numbers | {{0}}, "%s: %r is there already" % (where, answer)
            numbers.add(answer)
        for each in step.get("released", ()):
            first = given[each["step"]]
            pages -= set(range(first, first + each["bytes"], UNIT))
        if "within" in step:
            assert answer is not None, "%s: there is none" % where
            inside = step["within"][0] <= answer <= step["within"][1] - step.get("bytes", 0)
            assert inside, "%s: %#x does not lie where it may" % (where, answer)
        assert answer is None or "alignment" not in step or answer % step["alignment"] == 0, (
            "%s: %#x is no multiple of %d" % (where, answer, step["alignment"])
        )
        if family == "exit":
            numbers.discard(arguments["process"])
        if "bytes" in step:
            start = answer if family in ("allocate", "new", "resize", "translate") else arguments["address"]
            moved = set(range(start, start + step["bytes"], UNIT))
            if family in ("free", "delete"):
                pages -= moved
            else:
                assert not moved & pages, "%s: %#x overlaps what is in use" % (where, start)
                pages |= moved
'''


def written(vectors: Vectors, binding: Binding | None = None) -> str:
    """binding: none, since it is an object that is called."""
    if binding is not None:
        raise InputError("--binding", None, "it is for c and rust; a Python object needs none")
    lines = json.dumps(document(vectors), indent=None, separators=(",", ":")).replace('{"op":', '\n{"op":')
    return RUNNER.format(
        component=vectors.component, version=vectors.law["version"], digest=vectors.law["digest"], document=lines
    )
