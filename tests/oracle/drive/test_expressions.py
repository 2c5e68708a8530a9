"""The expressions of a binding: arithmetic and calls, and nothing else."""

from __future__ import annotations

import pytest

from memoracle.drive.expressions import Expression, ExpressionError


def test_an_expression_reads_what_it_is_given() -> None:
    expression = Expression("put(page << shift, 1 if page > 2 else -1)", {"page", "shift"}, {"put"})
    assert (expression.names, expression.calls) == ({"page", "shift"}, [("put", 2)])
    call = expression.compiled(["page"], {"shift": 12, "put": 7}, {"put": lambda *given: given})
    assert (call(3), call(0)) == ((3 << 12, 1), (0, -1))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("page +", "it is no expression"),
        ("size", "unknown name size"),
        ("open(page)", "unknown function open"),
        ("page.real", "a field is one of"),
        ("put.__globals__", "a field is one of"),
        ("(lambda: page)()", "a call is a function's name"),
        ("[page for page in page]", "no part of an expression"),
        ("page ** page", "a power is no part"),
        ("'a' * page", "is not a number"),
        ("value.__class__", "a field is one of"),
        ("put(a=1)", "a call is a function's name"),
        ("put", "unknown name put"),
        ("(" * 300, "it is no expression"),
        ("1 + " * 400 + "1", "at most"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as refusal:
        Expression(text, {"page"}, {"put"})
    assert says in str(refusal.value)
