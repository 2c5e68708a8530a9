"""Tests that nothing can be made of what is withheld, and that it is put back as it was."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from memoracle.proofs.symbolic.withheld import Withheld


def test_what_is_withheld_cannot_be_used() -> None:
    owner, withheld = SimpleNamespace(words=[1], count=1), Withheld()
    withheld.take(owner, "words", "count")
    with pytest.raises(TypeError, match="empty"):
        bool(owner.count)
    with pytest.raises(TypeError, match="not compared"):
        assert owner.count == 1
    with pytest.raises(TypeError):
        owner.words[0]


def test_what_is_withheld_twice_is_put_back_once() -> None:
    words = [1]
    owner, withheld = SimpleNamespace(words=words, count=1), Withheld()
    withheld.take(owner, "words")
    withheld.take(owner, "words", "count")
    withheld.put_back()
    assert owner.words is words
    assert owner.count == 1


def test_what_was_written_meanwhile_stays() -> None:
    owner, withheld = SimpleNamespace(count=1), Withheld()
    withheld.take(owner, "count")
    owner.count = 2
    withheld.put_back()
    assert owner.count == 2
