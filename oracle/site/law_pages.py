"""The law of each component: its prose beside its clauses, in the order in which `spec/` has them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from memoracle import spec
from memoracle.explain.entries import event
from memoracle.explain.index import Index, text_of
from memoracle.proofs import registry
from memoracle.proofs.obligations.obligation import source_of
from memoracle.proofs.parts import component_of, parts_of
from memoracle.site.law_text import Piece, pieces
from memoracle.site.markup import rendered
from memoracle.spec import clauses
from memoracle.spec.clauses import Clause, Operation, part_of

FOLDER = "law"
INDEX, SHARED = "index", "shared"
EVIDENCE = "../evidence.html"


@dataclass(frozen=True)
class Page:
    """A page of the law. name: of its file, without the ending.  says: the first sentences of the law that it has."""

    name: str
    title: str
    says: str
    text: str


def law_pages(index: Index) -> Iterator[Page]:
    """The page of each component, and the one of what several share; the last says what there is."""
    found = [page(index, each, modules_of(each)) for each in registry.COMPONENTS]
    found.append(page(index, SHARED, shared(), "What components share"))
    yield from found
    words = {"about": paragraphs(clauses), "source": source(clauses), "pieces": list(pieces(clauses))}
    yield Page(INDEX, "The law", "", rendered("law_index.md", pages=found, words=words))


def page(index: Index, name: str, modules: list[ModuleType], title: str = "") -> Page:
    parts = [part(index, each) for each in modules]
    text = rendered("law.md", title=title or f"`{name}`", parts=parts, evidence=EVIDENCE, alone=len(parts) == 1)
    own = next((each for each in modules if last_name(each) == name), modules[0])
    return Page(name, title or name, paragraphs(own)[0], text)


def modules_of(component: str) -> list[ModuleType]:
    """Those of a component's parts that are of the law."""
    there_are = {each.name for each in pkgutil.iter_modules(spec.__path__)}
    return [importlib.import_module(f"{spec.__name__}.{each}") for each in parts_of(component) if each in there_are]


def shared() -> list[ModuleType]:
    """The modules with clauses that are no component's."""
    names = [each.name for each in pkgutil.iter_modules(spec.__path__)]
    others = [each for each in names if component_of(each) not in registry.COMPONENTS]
    modules = [importlib.import_module(f"{spec.__name__}.{each}") for each in others]
    return [each for each in modules if any(piece.named for piece in pieces(each))]


def last_name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def paragraphs(described: Any) -> list[str]:
    """The paragraphs of a docstring."""
    return (inspect.getdoc(described) or "").split("\n\n")


def source(module: ModuleType) -> str:
    return f"spec/{last_name(module)}.py"


def part(index: Index, module: ModuleType) -> dict[str, Any]:
    shown = [(piece, about(index, piece)) for piece in pieces(module)]
    return {"name": last_name(module), "about": paragraphs(module), "source": source(module), "pieces": shown}


def about(index: Index, piece: Piece) -> dict[str, Any]:
    """What is said of a clause or an operation besides its text."""
    of = piece.named
    if of is None:
        return {}
    stating = [each.name for each in index.about(of)]
    found: dict[str, Any] = {
        "name": index.names_in_law[of],
        "source": source_of(text_of(of)),
        "obligations": stating,
        "beyond": len(index.beyond(of)),
    }
    if isinstance(of, Clause):
        guarded = [reference(index, each) for each in index.guarded(of)]
        return found | {"says": of.says, "role": role(of), "guards": guarded, "checked": index.asked_in(of)}
    guard = [(each.says, reference(index, each)) for each in of.guard]
    return found | {"says": paragraphs(of.effect), "guard": guard, "chooses": of.chooses, "event": event(of.name)}


def role(clause: Clause) -> str:
    """What a clause is in its component's law; "" if that does not list it."""
    for law in registry.LAWS.values():
        if clause in law.invariants:
            return "invariant"
        if clause in law.theorems:
            return "theorem"
    return ""


def reference(index: Index, of: Clause | Operation) -> tuple[str, str]:
    """The name of a part of the law, and where the pages have it."""
    name = index.names_in_law[of]
    component = component_of(part_of(text_of(of)))
    file = component if component in registry.COMPONENTS else SHARED
    return name, f"{file}.html#{name.replace(' ', '-')}"
