"""A page that is taken to be mapped because an answer showed it: what is allowed there the first answer tells."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from manager_recorder import GEOMETRY, KERNEL, PAGE

from memoracle.diagnostics.levels import LEGAL, Rules
from memoracle.replay.dispatch import Replay

ALLOWED = {"cache": "uncacheable", "writable": True, "executable": True, "global": False}


@pytest.mark.parametrize("level", [LEGAL, "exact"])
@pytest.mark.parametrize("virtual", [PAGE, KERNEL + 9 * PAGE])
def test_first_answer_about_its_attributes_is_adopted(virtual: int, level: str) -> None:
    def page(op: str, **more: Any) -> dict[str, Any]:
        return {"op": f"page.{op}", "process": 0, "virtual": hex(virtual)} | more

    told = ALLOWED | {"user": virtual < KERNEL}
    events = [
        page("map", physical=hex(PAGE), **ALLOWED),
        page("unmap", release=False),
        page("translate", result=hex(PAGE)),  # line 4: it was not unmapped
        page("map", physical=hex(2 * PAGE), **ALLOWED, error="mapped"),
        page("attributes", result=told),
        page("attributes", result=told),
        page("attributes", result=told | {"writable": False}),  # line 8: another fault
        page("unmap", release=False),
        page("map", physical=hex(2 * PAGE), **ALLOWED),
        page("attributes", result=told | {"executable": False}),  # line 11: nothing is in doubt of this mapping
    ]
    found = Replay(Rules(GEOMETRY, level), "adopted").divergences(map(msgspec.json.encode, events))
    assert [each.line for each in found] == [4, 8, 11]
