"""Finds which hypotheses the goals of each proof need, and notes them in `obligations/noted_cores/`.

`make hints` runs it, after a change of the law or the code, so that proofs stay quick.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from multiprocessing import get_context

import msgspec
import z3

from memoracle.proofs.obligations import instantiation, shift_lemmas
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.obligations.queries import conditions_of, failure, question
from memoracle.proofs.obligations.shown import identities
from memoracle.proofs.obligations.solver import SHIFTS_UNKNOWN, Way, ask
from memoracle.proofs.obligations.unsat_cores import Group, Hints, Needed, file_of, noted, noted_of, path_of
from memoracle.proofs.registry import obligations
from memoracle.proofs.symbolic import z3_terms
from memoracle.proofs.symbolic.execution import Run, explore
from memoracle.proofs.symbolic.z3_terms import identity

TOGETHER = 30_000_000  # the solver's budget for a goal, all hypotheses tracked
APART = 400_000_000  # given a core
RISING = (
    10_000_000,
    60_000_000,
    APART,
)  # tried in turn, each for every way: what is dear in one way may be cheap in another
ALL = 60_000_000  # for all goals of a path, clauses by and by
CHEAP = 1_000_000  # for all goals of a path, given a core: asked apart, they cost as much to put as to answer
QUICK = 0.035  # seconds of a processor, for which no other way is tried
ALONE = 1.3  # times what another way takes: it needs a text of its own, which is read apart


def find(obligation: Obligation) -> dict[str, Needed]:
    """The hypotheses that the goals of an obligation need: as noted, where the goals are still proved from these.

    Nothing for a path with a goal that is not proved.
    """
    found, earlier = {}, Earlier()
    runs = explore(obligation.sorts, obligation.body, obligation.integers)  # kept, and so are the numbers of its terms
    for run in runs:
        if not run.goals:
            continue
        hypotheses = run.hypotheses(obligation.rounds)
        groups = noted(obligation.name, run, len(hypotheses))
        if groups is None or not all(_asked(obligation, run, each, hypotheses, APART) for each in groups):
            groups = _groups(obligation, run, hypotheses, earlier)
        if groups is not None:
            found[path_of(run)] = Needed(len(hypotheses), len(run.goals), groups)
    return found


class Earlier:
    """What goals needed on earlier paths: where all of it is known again, the same goal needs no more."""

    def __init__(self) -> None:
        self._needed: dict[int, list[tuple[frozenset[int], frozenset[int], Way]]] = {}  # by what holds

    def note(self, run: Run, hypotheses: Sequence[z3.BoolRef], goal: int, group: Group) -> None:
        """What a goal needs that is asked alone; terms are known by the solver's numbers of them."""
        conditions = conditions_of(run.goals[goal], group.conditions)
        needed = identities(hypotheses[place] for place in group.hypotheses), identities(conditions), group.way
        self._needed.setdefault(identity(run.goals[goal].holds), []).append(needed)

    def of(self, run: Run, given: Mapping[int, int], goal: int) -> Group | None:
        """What a goal needs here; given: the place of each hypothesis."""
        conditions = {identity(each): place for place, each in enumerate(run.goals[goal].conditions)}
        for hypotheses, learned, way in self._needed.get(identity(run.goals[goal].holds), ()):
            if hypotheses <= given.keys() and learned <= conditions.keys():
                places = sorted(given[each] for each in hypotheses)
                return Group([goal], places, way, sorted(conditions[each] for each in learned))
        return None


def _groups(obligation: Obligation, run: Run, hypotheses: Sequence[z3.BoolRef], earlier: Earlier) -> list[Group] | None:
    """All goals together where that is easy, or each as it costs the solver least; None if one is not proved."""
    every = list(range(len(run.goals)))
    given = {identity(each): place for place, each in enumerate(hypotheses)}
    known = {goal: group for goal in every if (group := earlier.of(run, given, goal)) is not None}
    if not known:
        core = _least(hypotheses, failure(run, every), _by_and_by(hypotheses, failure(run, every), ALL))
        together = None if core is None else _asked(obligation, run, Group(every, core), hypotheses, CHEAP)
        if together is not None:
            return [together[1]]
    left = [goal for goal in every if goal not in known]
    for goal, core in zip(left, _cores(hypotheses, [failure(run, [goal]) for goal in left]), strict=True):
        group = _cheapest(obligation, run, goal, hypotheses, core)
        if group is None:
            return None
        known[goal] = group
        earlier.note(run, hypotheses, goal, group)
    return [known[goal] for goal in every]


def _cheapest(
    obligation: Obligation, run: Run, goal: int, hypotheses: Sequence[z3.BoolRef], core: list[int] | None
) -> Group | None:
    """From what and in which way a goal is proved at least cost; None if the solver does not prove it."""
    every = list(range(len(hypotheses)))
    shifts = SHIFTS_UNKNOWN if shift_lemmas.may_be_used(obligation.name) else ()
    for needed in [every] if core is None else [core, every]:
        conditions = _conditions(run, goal, [hypotheses[place] for place in needed])
        for budget in RISING:
            answers: list[tuple[float, Group]] = []
            for way in (Way.GOALS_APART, *shifts, Way.EQUATIONS_SOLVED, Way.OF_BITS, Way.AT_ONCE):
                found = _asked(obligation, run, Group([goal], needed, way, conditions), hypotheses, budget)
                if found is not None:
                    answers.append(found)
                    if found[0] <= QUICK:
                        break
            if answers:
                return min(answers, key=lambda each: each[0] * (1 if each[1].way is Way.GOALS_APART else ALONE))[1]
    return None


def _conditions(run: Run, goal: int, hypotheses: Sequence[z3.BoolRef]) -> list[int] | None:
    """The conditions of its path that a goal needs, by their places, given these hypotheses; None if it is unknown."""
    solver = _tracking(run.goals[goal].conditions, range(len(run.goals[goal].conditions)), TOGETHER)
    solver.add(*hypotheses, z3_terms.negation(run.goals[goal].holds))
    return _core_of(solver) if solver.check() == z3.unsat else None


def _asked(
    obligation: Obligation, run: Run, group: Group, hypotheses: Sequence[z3.BoolRef], budget: int
) -> tuple[float, Group] | None:
    """The seconds of a processor that it takes to prove these goals so; None if it is not done within this budget."""
    conditions = dict.fromkeys(group.goals, group.conditions)
    text = question(obligation, run, [hypotheses[place] for place in group.hypotheses], group.goals, conditions)
    started = time.process_time()
    answer = ask(text, use_cache=False, rlimit=budget, way=group.way)
    return (time.process_time() - started, group) if answer.verdict == "unsat" else None


def _cores(hypotheses: Sequence[z3.BoolRef], failures: Sequence[z3.BoolRef]) -> Iterator[list[int] | None]:
    """The places of hypotheses with which each of these cannot be, if the solver finds them."""
    solver = _tracking(hypotheses, range(len(hypotheses)), TOGETHER)
    for each in failures:
        solver.push()
        solver.add(each)
        found = _core_of(solver) if solver.check() == z3.unsat else _by_and_by(hypotheses, each, APART)
        solver.pop()
        yield _least(hypotheses, each, found)


def _by_and_by(hypotheses: Sequence[z3.BoolRef], failure: z3.BoolRef, budget: int) -> list[int] | None:
    """The hypotheses that were asked before this could not be, if they were put off until they mattered."""
    asked = instantiation.ask(z3.Solver(), [*hypotheses, failure], budget)
    return [place for place in asked.used if place < len(hypotheses)] if asked.verdict == "unsat" else None


def _least(hypotheses: Sequence[z3.BoolRef], failure: z3.BoolRef, found: list[int] | None) -> list[int] | None:
    """The solver's core of a core, until it stays as it is."""
    while found:
        solver = _tracking(hypotheses, found, APART)
        solver.add(failure)
        if solver.check() != z3.unsat:
            break
        before, found = found, _core_of(solver)
        if len(found) >= 0.8 * len(before):
            break
    return found


def _tracking(hypotheses: Sequence[z3.BoolRef], places: Iterable[int], budget: int) -> z3.Solver:
    solver = z3.SimpleSolver()
    solver.set("rlimit", budget)
    solver.set("unsat_core", True)
    for place in places:
        solver.assert_and_track(hypotheses[place], f"hypothesis#{place}")
    return solver


def _core_of(solver: z3.Solver) -> list[int]:
    return sorted(int(str(name).split("#")[1]) for name in solver.unsat_core())


def _found(name: str) -> tuple[str, dict[str, Needed]]:
    return name, find(_proofs([])[name])


def _proofs(wanted: list[str]) -> dict[str, Obligation]:
    """The named proofs, or those of the named components, or all; what is proved as a part is not proved apart."""
    every = [each for each in obligations([]) if isinstance(each, Obligation)]
    named = [each for each in every if not wanted or {each.name, each.component, each.together} & set(wanted)]
    return {each.name: each for each in (part.part_of or part for part in named)}


def main(wanted: list[str]) -> None:
    """Finds the hints of the named components or obligations, or of all, and writes them down."""
    names, known = _proofs(wanted), _proofs([])
    # A process for each: the solver simplifies terms by their age, so every proof is built in a process of its own.
    with get_context("fork").Pool(maxtasksperchild=1) as pool:
        for name, paths in pool.imap_unordered(_found, names):
            sys.stderr.write(f"{name}: {len(paths)} paths\n")
            component = name.partition(".")[0]
            noted_of.cache_clear()
            kept = {each: found for each, found in noted_of(component).items() if each in known}
            write(component, kept | {name: paths})  # at once: what was found is kept if the rest is interrupted


def write(component: str, hints: Hints) -> None:
    """Notes what the obligations of a component need, a line for each."""
    lines = [
        b"%s: %s" % (msgspec.json.encode(name), msgspec.json.encode(paths))
        for name, paths in sorted(hints.items())
        if paths
    ]
    place = file_of(component).resolve()
    whole = place.with_suffix(".new")
    whole.write_bytes(b"{\n" + b",\n".join(lines) + b"\n}\n")
    whole.replace(place)  # another process may be reading it


if __name__ == "__main__":
    main(sys.argv[1:])
