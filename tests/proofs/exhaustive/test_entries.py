"""The exhaustive calls about entries: the reference conforms, and each fault gives a test that fails for it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from memoracle.impl import pat, pte
from memoracle.proofs.exhaustive import computations as small_runs
from memoracle.proofs.exhaustive import entries as small_entries


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    yield
    small_entries.tables.cache_clear()
    small_entries.entries.cache_clear()


@pytest.mark.parametrize("component", ["pat", "paging"])
def test_the_reference_conforms(component: str) -> None:
    computations = small_entries.computations(component)
    assert len({each.name for each in computations}) == len(computations)
    for computation in computations:
        assert computation.run() is None, computation.name
        assert computation.scope.startswith("bounded: ")
        assert computation.source.startswith("proofs/exhaustive/entries.py:")


def with_too_many(register: int) -> bool:
    return register >> 64 == 0 and register & pat.HIGHEST_BITS == 0


def highest(register: int, kind: int, low_half: bool) -> int | None:
    return next((i for i in reversed(range(4 if low_half else 8)) if pat.decode(register, i) == kind), None)


def ignoring_the_half(register: int, kind: int, low_half: bool, select: Callable[..., Any] = pat.select) -> Any:
    return select(register, kind, False)


def modulo_eight(register: int, index: int) -> int:
    return register >> 8 * (index % 8) & 0xFF


def misaligned(layout: pte.Layout, fields: pte.Fields, level: int, encode: Callable[..., Any] = pte.encode) -> Any:
    return encode(layout, fields._replace(physical=fields.physical & -4096), level)


def accessed(layout: pte.Layout, fields: pte.Fields, level: int, encode: Callable[..., Any] = pte.encode) -> Any:
    value = encode(layout, fields, level)
    return None if value is None else value | pte.ACCESSED


def unreserved(layout: pte.Layout, value: int, level: int) -> int:
    return 0


def raising(layout: pte.Layout, value: int, level: int) -> Any:
    raise KeyError(level)


FAULTS: dict[str, tuple[str, Any, str, Any]] = {
    "types 2 and 3 are accepted": ("pat", pat, "accepts", with_too_many),
    "the highest index is selected": ("pat", pat, "select", highest),
    "a link names any index": ("pat", pat, "select", ignoring_the_half),
    "an index past the end is decoded": ("pat", pat, "decode", modulo_eight),
    "a misaligned address is rounded": ("paging", pte, "encode", misaligned),
    "an entry is born accessed": ("paging", pte, "encode", accessed),
    "reserved bits are read over": ("paging", pte, "reserved", unreserved),
    "decoding raises": ("paging", pte, "decode", raising),
}


@pytest.mark.parametrize(("component", "module", "name", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_gives_a_test(
    monkeypatch: pytest.MonkeyPatch, component: str, module: Any, name: str, fault: Any
) -> None:
    with monkeypatch.context() as faulty:
        faulty.setattr(module, name, fault)
        test = small_runs.replay(component)
        assert test is not None
        with pytest.raises((AssertionError, KeyError)):
            run(test)
    run(test)


def run(test: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(test, "replay", "exec"), names)
    names["test_replay"]()


def test_operations_that_never_happen_or_are_never_refused_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_entries, "LAYOUTS", ())
    told = [each.run() for each in small_entries.computations("paging")[1:]]
    assert told == ["no call is pte.encode", "no call is pte.decode"]
