"""Some obligation is about each clause and operation of the law: one of which nothing is proved could say anything."""

from __future__ import annotations

from memoracle.explain.index import Index


def test_an_obligation_speaks_of_each() -> None:
    index = Index()
    assert not [name for name, of in index.law.items() if not index.about(of) and not index.beyond(of)]
