"""What is known while a proof is built: unknown numbers and functions, facts about them, and clauses taken as given.

A clause taken as given holds for all points, but no quantifier reaches the solver: it is instantiated at the points
that matter. Those are the arguments, sorted by what they are (a page, an order), at which the functions of a state are
read while the goal and the run of the code are built, and their values where these are points too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import z3

from memoracle.proofs.symbolic import z3_terms
from memoracle.proofs.symbolic.context import counting_with
from memoracle.proofs.symbolic.instances import Hypotheses
from memoracle.proofs.symbolic.numbers import (
    Symbolic,
    SymbolicBool,
    constant,
    is_key,
    key,
    number,
    sort,
    truth,
    within,
)
from memoracle.proofs.symbolic.values import Condition
from memoracle.spec.clauses import Clause, Number, Truth

Made = TypeVar("Made")
HIGHEST = (1 << 64) - 1  # "any size" means any size that 64-bit addresses admit


class Sort(NamedTuple):
    """What points are, a page or an order, and the highest that there can be."""

    name: str
    highest: int = HIGHEST


class Read(NamedTuple):
    """What an unknown function is at some points, that it is within its bounds, and the points as touched."""

    value: Any
    fact: z3.BoolRef | None
    points: tuple[Symbolic, ...]
    simplified: tuple[int, ...]
    kept: tuple[Number, ...]  # a term's number is its own only for as long as the term is kept


Reads = dict[tuple[object, ...], Read]  # by the function, and each point's term and bounds


class HypothesisPool:
    """One proof's unknowns, facts and points. Names are given in order, so a proof is the same text every time."""

    def __init__(self, sorts: dict[str, Sort], integers: bool = False, reads: Reads | None = None) -> None:
        """sorts: of each clause's parameters and each function's arguments, by their names.

        integers: whether numbers are the solver's integers.  reads: terms that others built of the same sorts.
        """
        self.sorts, self.integers = sorts, integers
        self.facts: list[z3.BoolRef] = []
        self.conditions: list[z3.BoolRef] = []
        self.given: list[tuple[tuple[Sort, ...], Condition, SymbolicBool, Clause | None]] = []
        self.points: dict[tuple[str, ...], dict[tuple[int, ...], tuple[Symbolic, ...]]] = {}
        self.bounds: dict[Callable[..., object], tuple[int, int]] = {}  # of the unknown functions that are numbers
        self.reads: Reads = {} if reads is None else reads
        self.made: list[tuple[Callable[[str], object], object]] = []  # unknown things, and by what each was made
        self.count = itertools.count()
        self.instantiated: dict[int, Hypotheses] = {}  # by the rounds, once they are asked for
        self.simple: dict[int, int] = {}  # by a term's id, the id of what it is when simplified
        self.kept: list[z3.AstRef] = []  # a term's id is its own only for as long as the term is kept

    def number(self, name: str, low: int = 0, high: int = HIGHEST) -> Symbolic:
        """An unknown number between two bounds."""
        unknown = constant(name, low, high)
        self.facts.append(within(unknown, low, high))
        return unknown

    def fresh(self, name: str, low: int = 0, high: int = HIGHEST) -> Symbolic:
        """An unknown number with a name of its own."""
        return self.number(f"{name}#{next(self.count)}", low, high)

    def truth(self, name: str) -> SymbolicBool:
        """An unknown truth."""
        return SymbolicBool(z3.Bool(name))

    def fresh_truth(self, name: str) -> SymbolicBool:
        """An unknown truth with a name of its own."""
        return self.truth(f"{name}#{next(self.count)}")

    def point(self, parameter: str) -> Symbolic:
        """An unknown point, for a goal to speak of; a clause that is given is instantiated at it."""
        unknown = self.fresh(parameter, 0, self.sorts[parameter].highest)
        self.touch((parameter,), (unknown,))
        return unknown

    def any_number(self, parameter: str) -> Symbolic:
        """Any number that a caller may pass, even a negative one or one too large to be a point."""
        unknown = self.fresh(parameter, -HIGHEST, 2 * HIGHEST)
        self.touch((parameter,), (unknown,))
        return unknown

    def point_of_each(self, parameters: Iterable[str]) -> dict[str, Symbolic]:
        """Unknown points, one of each parameter."""
        return {parameter: self.point(parameter) for parameter in parameters}

    def relation(self, name: str, *parameters: str) -> Callable[..., SymbolicBool]:
        """An unknown truth of each point."""
        symbol = z3.Function(f"{name}@", *[sort()] * len(parameters), z3.BoolSort())

        def build(points: tuple[Symbolic, ...]) -> Read:
            inside, keys = self._keys(parameters, points)
            applied = z3_terms.applied(symbol, [term.z for term in keys], truth=True)
            return self._read(SymbolicBool(z3_terms.all_of([*inside, applied])), None, keys, points)

        def read(*points: Number) -> Any:
            return self._once(symbol, parameters, points, build).value

        return read

    def function(
        self, name: str, *parameters: str, low: int = 0, high: int = HIGHEST, gives: str | None = None
    ) -> Callable[..., Symbolic]:
        """An unknown number of each point; `gives` says that the number is a point itself."""
        symbol = z3.Function(f"{name}@", *[sort()] * (len(parameters) + 1))

        def build(points: tuple[Symbolic, ...]) -> Read:
            _, keys = self._keys(parameters, points)
            value = Symbolic(z3_terms.applied(symbol, [term.z for term in keys], truth=False), low, high)
            return self._read(value, within(value, low, high), keys, points)

        def read(*points: Number) -> Any:
            found = self._once(symbol, parameters, points, build, low, high)
            if found.fact is not None:
                self.facts.append(found.fact)
            if gives:
                self.touch((gives,), (found.value,))
            return found.value

        self.bounds[read] = (low, high)
        return read

    def _once(
        self,
        symbol: z3.FuncDeclRef,
        parameters: tuple[str, ...],
        points: tuple[Number, ...],
        build: Callable[[tuple[Symbolic, ...]], Read],
        *bounds: int,
    ) -> Read:
        """What a function is at these points, built once; they are touched each time."""
        terms = tuple(map(number, points))
        where = *parameters, *((z3_terms.identity(term.z), term.low, term.high) for term in terms)
        place = (symbol.get_id(), bounds, where)
        found = self.reads.get(place)
        if found is None:
            found = self.reads[place] = build(terms)
        self._touch_simplified(parameters, found.points, found.simplified)
        return found

    def _read(self, value: Any, fact: z3.BoolRef | None, keys: tuple[Symbolic, ...], given: tuple[Number, ...]) -> Read:
        return Read(value, fact, keys, tuple(map(self._simplified, keys)), given)

    def _keys(
        self, parameters: tuple[str, ...], points: tuple[Symbolic, ...]
    ) -> tuple[list[z3.BoolRef], tuple[Symbolic, ...]]:
        """Whether each point is one that there can be, and the points as the solver's arguments.

        Of a number that is no point a function may be anything: it is not what the function is at some other point.
        """
        inside, keys = [], []
        for parameter, term in zip(parameters, points, strict=True):
            highest = self.sorts[parameter].highest
            if term.low < 0 or term.high > highest:
                fits = within(term, 0, highest)
                inside.append(fits)
                if not is_key(term):
                    term = SymbolicBool(fits).choose(Symbolic(key(term), 0, highest), 0)
            keys.append(Symbolic(key(term), term.low, term.high))
        return inside, tuple(keys)

    def touch(self, parameters: tuple[str, ...], terms: tuple[Number, ...]) -> None:
        """Notes points: of each parameter alone, and of all together."""
        numbers = tuple(number(term) for term in terms)
        self._touch_simplified(parameters, numbers, tuple(map(self._simplified, numbers)))

    def _touch_simplified(
        self, parameters: tuple[str, ...], numbers: tuple[Symbolic, ...], ids: tuple[int, ...]
    ) -> None:
        sorts = tuple(self.sorts[parameter].name for parameter in parameters)
        self.points.setdefault(sorts, {}).setdefault(ids, numbers)
        for name, place, term in zip(sorts, ids, numbers, strict=True):
            self.points.setdefault((name,), {}).setdefault((place,), (term,))

    def _simplified(self, term: Symbolic) -> int:
        """The solver's number of this term when it is simplified: terms that are plainly equal have the same."""
        written = z3_terms.identity(term.z)
        if written not in self.simple:
            simplified = z3_terms.simplified(term.z)
            self.kept += term.z, simplified
            self.simple[written] = z3_terms.identity(simplified)
        return self.simple[written]

    def made_by(self, make: Callable[[str], Made], suffix: str) -> Made:
        """Something unknown, of which that is supposed which `make` supposes of it.

        suffix: makes the names of its unknowns differ.
        """
        made = make(suffix)
        self.made.append((make, made))
        return made

    def assume(self, *facts: Truth | z3.BoolRef) -> None:
        """Takes truths as given."""
        self.facts.extend(truth(fact) for fact in facts)

    def assume_all(self, clauses: Iterable[Clause], state: object) -> None:
        """Takes clauses as given, at all points of a state."""
        for clause in clauses:
            self.assume_for_all(clause.points, lambda *points, clause=clause: clause(state, *points), clause)

    def assume_for_all(self, parameters: tuple[str, ...], holds: Condition, clause: Clause | None = None) -> None:
        """Takes a truth of each point that there can be as given, from here on; of other numbers nothing is.

        clause: the clause of the law that it is, if it is one.
        """
        if not parameters:
            self.suppose(holds())
            return
        given = self.truth(f"given#{len(self.given)}")
        self.given.append((tuple(self.sorts[parameter] for parameter in parameters), holds, given, clause))
        self.suppose(given)

    def suppose(self, *truths: Truth) -> None:
        """What is known from here on."""
        self.conditions.extend(truth(known) for known in truths)

    def hypotheses(self, rounds: int) -> Hypotheses:
        """The facts, and every clause given at every point; each round adds the points that the last one came upon."""
        if rounds not in self.instantiated:
            done: set[tuple[int, tuple[int, ...]]] = set()
            instances: list[Callable[[], z3.BoolRef]] = []
            clauses: list[Clause | None] = []
            for left in reversed(range(rounds)):
                todo = self._instances(done)
                instances += [instance for instance, _ in todo]
                clauses += [clause for _, clause in todo]
                if left:  # writing these out finds the points of the next round
                    self.kept += [instance() for instance, _ in todo]
            self.instantiated[rounds] = Hypotheses(self.facts, instances, clauses)
        return self.instantiated[rounds]

    def _instances(
        self, done: set[tuple[int, tuple[int, ...]]]
    ) -> list[tuple[Callable[[], z3.BoolRef], Clause | None]]:
        """Each truth at each point where it was not given yet, and the clause that it is."""
        instances: list[tuple[Callable[[], z3.BoolRef], Clause | None]] = []
        for place, (sorts, holds, given, clause) in enumerate(self.given):
            for ids, points in self._points(tuple(each.name for each in sorts)):
                if (place, ids) not in done:
                    done.add((place, ids))
                    instances.append((partial(self._instance, sorts, holds, given, points), clause))
        return instances

    def _points(self, sorts: tuple[str, ...]) -> list[tuple[tuple[int, ...], tuple[Symbolic, ...]]]:
        """The points at which a clause is instantiated: those read together, else all combinations of single ones.

        Where the first two of three were read together, these pairs will do, each with all of the third.
        """
        if len(sorts) < 2 or sorts in self.points:
            return [((), ())] if not sorts else list(self.points.get(sorts, {}).items())
        pairs = len(sorts) == 3 and sorts[:2] in self.points
        parts = [sorts[:2], sorts[2:]] if pairs else [(sort,) for sort in sorts]
        singles = [list(self.points.get(part, {}).items()) for part in parts]
        return [
            (tuple(i for ids, _ in choice for i in ids), tuple(p for _, points in choice for p in points))
            for choice in itertools.product(*singles)
        ]

    def _instance(
        self, sorts: tuple[Sort, ...], holds: Condition, given: SymbolicBool, points: tuple[Symbolic, ...]
    ) -> z3.BoolRef:
        """A clause at these points, where it is given, and where there can be such points."""
        with counting_with(self.integers):  # it may be written out after the run
            reached = [
                within(point, 0, each.highest)
                for point, each in zip(points, sorts, strict=True)
                if point.low < 0 or point.high > each.highest
            ]
            return z3_terms.implication(z3_terms.all_of([given.z, *reached]), truth(holds(*points)))
