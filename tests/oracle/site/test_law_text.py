"""What is shown of a module of the law is all of it, in its order."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

from memoracle import spec
from memoracle.site.docstring_markup import as_markdown
from memoracle.site.documents import linked
from memoracle.site.law_text import SECTION, pieces
from memoracle.site.markup import html, prose
from memoracle.spec import bitmap
from memoracle.spec.clauses import Clause, Operation

MODULES = [each.name for each in pkgutil.iter_modules(spec.__path__, f"{spec.__name__}.")]


@pytest.mark.parametrize("name", MODULES)
def test_every_statement_is_shown_once_and_every_clause_under_its_name(name: str) -> None:
    module = importlib.import_module(name)
    shown = list(pieces(module))
    code = "\n".join(each.text for each in shown if each.kind != SECTION)
    body = ast.parse(inspect.getsource(module)).body
    expected = [each for each in body if not isinstance(each, ast.Import | ast.ImportFrom | ast.Expr)]
    found = ast.parse(code).body
    assert [getattr(each, "name", "") for each in found] == [getattr(each, "name", "") for each in expected]
    own = [each for each in vars(module).values() if isinstance(each, Clause | Operation)]
    written = [
        each for each in own if inspect.getmodule(each.holds if isinstance(each, Clause) else each.effect) is module
    ]
    assert [each.named for each in shown if each.named is not None] == written


def test_a_formula_has_neither_its_decorator_nor_its_docstring() -> None:
    shown = {each.named: each.text for each in pieces(bitmap) if each.named}
    assert shown[bitmap.allocates_only_free] == (
        "def allocates_only_free(s: Frames, frame: Number) -> Truth:\n    return s.is_free(frame)"
    )
    assert '"""' not in shown[bitmap.allocate]
    assert "return replace(" in shown[bitmap.allocate]


def test_sections_are_those_of_the_file() -> None:
    titles = [each.text for each in pieces(bitmap) if each.kind == SECTION]
    assert titles == ["Initially", "Invariants", "Operations", "Theorems", "Queries"]


def test_prose_has_no_markup_but_code() -> None:
    assert prose("a*b_c `d_e` <f> [g] | h") == r"a\*b\_c `d_e` &lt;f&gt; \[g\] \| h"
    assert str(html("<b> of `a<b` in proofs/trust.py:7")) == (
        '&lt;b&gt; of <code>a&lt;b</code> in <a href="source/proofs/trust.py.html#L-7">proofs/trust.py:7</a>'
    )


def test_a_documents_links_lead_to_pages_or_to_files_that_are_shown() -> None:
    root = Path(__file__).parents[3]
    said = (
        "[a](../README.md#x) [b](trace.md) [c](../contrib/memoracle.h) [d](../examples/targets) "
        "[e](https://x.y) [f](#g)"
    )
    assert linked("docs/drive.md", said, root) == (
        "[a](index.md#x) [b](trace.md) [c](source/contrib/memoracle.h.html) [d](source/examples/targets/index.html) "
        "[e](https://x.y) [f](#g)"
    )
    assert linked("README.md", "[a](docs/trace.md) [b](ARCHITECTURE.md)", root) == "[a](trace.md) [b](architecture.md)"


def test_a_docstring_lists_names_and_fences_conditions() -> None:
    said = "Frees it.\n\nframe: its\nnumber.  other: 2: no name.\n\npre: 0 <= frame\npost: [x][y:]"
    assert as_markdown(said, ["frame", "other"]) == (
        "Frees it.\n\n- `frame`: its number.\n- `other`: 2: no name.\n\n```python\npre: 0 <= frame\npost: [x][y:]\n```"
    )
    assert as_markdown("Only prose: here.", []) == "Only prose: here."
