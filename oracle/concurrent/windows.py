"""Shows that no order is legal, by a window of a recording: as short a one as is found.

Whatever the order, at any moment the operations that returned before it precede those that were called after it. What
was under way then may have come before or after. So if from none of the states that these may have led to there is a
legal order of what follows, up to some return, the *horizon*, then there is none at all. The states are *determined*
by which operations precede (`touches`), so each is made from the longest order that was found: by leaving out what is
taken to come later, and adding what is taken to come before.

Before that a smaller question is asked: whether those operations alone on which the one that has no place depends have
a legal order. The others do not matter to them, so that without one there is none at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations

from memoracle.concurrent.about import conflict
from memoracle.concurrent.copies import copied
from memoracle.concurrent.parts import Groups, Places
from memoracle.concurrent.recording import NEVER
from memoracle.concurrent.search import Search, queued
from memoracle.concurrent.settled import Settled
from memoracle.concurrent.trail import Budget, Node, OutOfBudgetError, replayed, step
from memoracle.diagnostics.divergence import PREFERS
from memoracle.replay.dispatch import Replay

FIRST_LOOK = 24  # operations that a search comes back by before it is asked whether there is any order
SHORTEST_LOOK = 50_000  # steps that this may take first; the search takes as many before, and twice as many each time
REACH = 256  # operations, at the most, that a window has
FEW_UNDER_WAY, MOST_UNDER_WAY = 3, 6  # operations at the beginning of a window: of each, both is tried
MOST_TRIED = 3  # windows with more than a few
PAIRS_IN_STEP = 16  # of operations, of which it is asked whether they depend on one another
SHORTENING = 100_000  # steps, at the most, for which a window is made shorter


@dataclass(frozen=True)
class Window:
    """Operations of which no order is legal, whichever of those that were under way at its beginning came before.

    is_cut_short: the budget ended before it was known whether a shorter one shows it, too.
    """

    nodes: tuple[Node, ...]
    is_cut_short: bool = False


class Refuter:
    """Asks of one search whether there is no order.

    window: that shows it.  earliest: how much of the longest order is taken as it is, since a fault before was passed
    over.  horizon: the moment up to which an order is looked for; what returns later need not have a place in it.
    """

    def __init__(
        self, search: Search, begin: Callable[[], Replay], budget: Budget, by_address: bool, looks_closer: bool = True
    ) -> None:
        """looks_closer: whether the smaller question is asked, too."""
        self.search = search
        self.begin = begin
        self.budget = budget
        self.by_address = by_address
        self.looks_closer = looks_closer
        self.window: Window | None = None
        self.earliest = 0
        self.horizon = search.horizon
        self.longest_look, self.left = SHORTEST_LOOK, budget.steps

    def gives_up(self, count: int) -> bool:
        """Whether there is known to be no order, when the search comes back to so many operations.

        Search and look take turns: what takes one of them for ever, the other one may know soon.
        """
        taken = self.left - self.budget.steps
        if len(self.search.best) - count < FIRST_LOOK or taken < self.longest_look - SHORTEST_LOOK:
            return False
        refutes = self.refutes_within(min(self.longest_look, self.budget.steps))
        self.left, self.longest_look = self.budget.steps, 2 * self.longest_look
        return refutes

    def refutes_within(self, steps: int) -> bool:
        """Whether there is known to be no order after so many steps."""
        whole, self.budget = self.budget, Budget(steps)
        try:
            return self.refutes()
        except OutOfBudgetError:
            return False
        finally:
            whole.spend(steps - max(0, self.budget.steps))
            self.budget = whole

    def refutes(self) -> bool:
        horizons = self.horizons()
        for look in (self.of_few, self.of_all) if self.looks_closer else (self.of_all,):
            for horizon in horizons:
                self.horizon = horizon
                self.window = look()
                if self.window is not None:
                    return True
        return False

    def horizons(self) -> list[int]:
        """The return of the operation that has no place, and of those that were under way then.

        Of two that exclude one another, either has an order without the other: only when both have returned must both
        have a place.
        """
        stuck = self.search.stuck.returned
        under_way = {each.returned for queue in self.search.queues for each in queue if each.call <= stuck}
        latest = min(self.search.horizon, NEVER - 1)
        return sorted(each for each in under_way if stuck <= each <= latest) or [stuck]

    def found(self) -> Window:
        """The window that shows that there is no order, after a search has found none."""
        if self.window is None:
            self.refutes_within(self.budget.steps // 2)
        return self.window or self.whole()

    @property
    def nodes(self) -> list[Node]:
        """All operations that were called up to the horizon."""
        return [each for queue in self.search.queues for each in queue if each.call <= self.horizon]

    def whole(self) -> Window:
        """Everything that the search was about."""
        self.horizon = self.search.horizon
        done = set(map(id, self.search.best[: self.earliest]))
        nodes = [each for each in self.nodes if id(each) not in done]
        if self.earliest:
            return Window(tuple(nodes), is_cut_short=True)
        return self.shortened(Cut(min(each.call for each in nodes), nodes, [], set()), self.begin())

    def of_few(self) -> Window | None:
        """A window of the operations that matter to the one that has no place, which have no order by themselves."""
        nodes, stuck = self.nodes, self.search.stuck
        needed = Places(nodes).needed_by(stuck)
        if self.earliest or len(needed) == len(nodes):
            return None
        search = Search(queued(needed), self.begin, self.budget, self.horizon, self.by_address)
        refuter = Refuter(search, self.begin, self.budget, self.by_address, looks_closer=False)
        return None if search.run(refuter.gives_up) else refuter.found()

    def of_all(self) -> Window | None:
        """The shortest window that is found among all operations."""
        best, nodes = self.search.best, sorted(self.nodes, key=lambda one: one.call)
        start = max(self.earliest, len(best) - REACH)
        base = self.begin()
        self.budget.spend(start)
        for node in best[:start]:
            step(base, node.operation)
        settled = set(map(id, best[:start]))
        calls = {each.call for each in nodes if id(each) not in settled}
        moments = sorted((call for call in calls if call <= self.search.stuck.returned), reverse=True)
        known = Settled(nodes)
        cuts = (Cut(moment, nodes, best[start:], settled) for moment in moments if known.at(moment))
        tried, found = list[Cut](), None
        for cut in cuts:
            if not cut.is_whole or len(cut.under_way) > MOST_UNDER_WAY:
                continue
            if len(cut.under_way) > FEW_UNDER_WAY:
                tried.append(cut)
            elif self.shows(cut, base):
                found = cut
                break
        closer = (cut for cut in tried[:MOST_TRIED] if self.shows(cut, base))
        found = next(closer, found)
        return None if found is None else self.shortened(found, base)

    def shortened(self, cut: Cut, base: Replay) -> Window:
        """The window after a cut, without what does not matter: each shorter one is decided as the whole is.

        Left out is what changes nothing, and what is independent of all else that is left. What others depend on stays:
        without a block's release, say, that it is taken twice would show nothing.
        """
        stuck, budget = self.search.stuck, Budget(min(SHORTENING, max(0, self.budget.steps)))
        try:
            for node in [each for each in cut.after if not each.about.changes and each is not stuck]:
                if self.shows(shorter := cut.without([node]), base, budget):
                    cut = shorter
            for group in groups(cut.nodes, budget):
                if stuck not in group and self.shows(shorter := cut.without(group), base, budget):
                    cut = shorter
        except OutOfBudgetError:
            return Window(cut.nodes, is_cut_short=True)
        return Window(cut.nodes)

    def shows(self, cut: Cut, base: Replay, budget: Budget | None = None) -> bool:
        """Whether no state at a cut leads to a legal order of what follows."""
        budget = self.budget if budget is None else budget
        some = (combinations(cut.under_way, count) for count in range(len(cut.under_way) + 1))
        for before in chain.from_iterable(some):
            budget.spend(REACH)
            state = copied(base)
            try:
                if replayed(state, cut.up_to(before)) is not None:
                    state.end()
                    state = copied(base)
                    net = cut.net(before)
                    if net is None:
                        return False
                    fault = replayed(state, net)
                    if fault is not None and fault.clause.endswith(PREFERS):
                        return False  # at exact another order may lead there
                    if fault is not None:
                        continue  # two owners of one block: no order leads there
                later = [each for each in cut.under_way if each not in before] + cut.after
                if self.leads_on(later, state, budget):
                    return False
            finally:
                state.end()
        return True

    def leads_on(self, later: list[Node], state: Replay, budget: Budget) -> bool:
        """Whether what follows has a legal order from a state on, as far as the horizon."""
        search = Search(queued(later), partial(copied, state), budget, self.horizon, self.by_address)
        try:
            return search.run()
        finally:
            search.trail.end()


class Cut:
    """A moment, and what the operations are to it.

    before: those in order that returned before.  under_way: those that change something and were under way.
    after: those that were called then or later.  is_whole: whether nothing else precedes in the state that is known.
    """

    def __init__(self, moment: int, nodes: Sequence[Node], order: Sequence[Node], settled: set[int]) -> None:
        self.order = order
        self.after = [each for each in nodes if each.call >= moment]
        pending = [each for each in nodes if each.call < moment <= each.returned]
        self.under_way = [each for each in pending if each.about.changes]
        self.is_whole = not any(id(each) in settled for each in (*pending, *self.after))
        self.before = {id(each) for each in nodes if each.returned < moment}

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (*self.under_way, *self.after)

    def without(self, some: Sequence[Node]) -> Cut:
        """The same without some operations."""
        cut, left_out = copy(self), set(map(id, some))
        cut.under_way = [each for each in self.under_way if id(each) not in left_out]
        cut.after = [each for each in self.after if id(each) not in left_out]
        return cut

    def up_to(self, some: Sequence[Node]) -> list[Node]:
        """What changes something before the cut, if some of what was under way do so before."""
        ids = self.before | set(map(id, some))
        kept = [each for each in self.order if id(each) in ids and each.about.changes]
        there = set(map(id, kept))
        return kept + sorted((each for each in some if id(each) not in there), key=lambda one: one.about.takes)

    def net(self, some: Sequence[Node]) -> list[Node] | None:
        """The same without those that undo one another: what was given back, and then what was taken.

        None where it is not known what undoes what.
        """
        left: dict[tuple[object, ...], list[Node]] = {}
        sizes: dict[tuple[object, ...], int] = {}
        for each in self.up_to(some):
            changed = [touch for touch in each.about.touches if touch.changes]
            key = tuple((touch.space, touch.first) for touch in changed)
            if not each.about.undone_whole:
                return None
            if sizes.setdefault(key, changed[0].end) != changed[0].end:
                return None
            others = left.setdefault(key, [])
            if others and others[-1].about.takes != each.about.takes:
                others.pop()
            else:
                others.append(each)
        return sorted(chain.from_iterable(left.values()), key=lambda one: one.about.takes)


def groups(nodes: Sequence[Node], budget: Budget) -> list[list[Node]]:
    """Operations that depend on one another; those of different groups are independent."""
    joined = Groups()
    for place, one in enumerate(nodes):
        budget.spend(1 + place // PAIRS_IN_STEP)
        for other in nodes[:place]:
            if conflict(one.about, other.about):
                joined.join(one, other)
    found: dict[object, list[Node]] = defaultdict(list)
    for node in nodes:
        found[joined.of(node)].append(node)
    return list(found.values())
