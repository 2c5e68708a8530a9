"""Holds what `page.translate` and `page.attributes` answer against the reference's page tables, and names the clause
that broke.

Of kernel pages a trace need not say which frames they have, and never says what is allowed there, but that they are the
kernel's. What is answered first is taken for the truth, if it can be: a frame that nobody else has. From then on it is
known.
"""

from __future__ import annotations

from typing import TypeAlias

from memoracle.diagnostics import pages as page_words
from memoracle.diagnostics.divergence import REFUSAL, Finding, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses, Rules
from memoracle.diagnostics.pages import mappings_of
from memoracle.impl.paging import Attributes, Leaf
from memoracle.replay.pages.doubted_pages import UNKNOWN, Key, space_and_page
from memoracle.replay.pages.kernel_blocks import KernelPage
from memoracle.replay.pages.mapped_pages import MappedPages
from memoracle.spec import addresses
from memoracle.spec import paging as law
from memoracle.spec.clauses import Clause
from memoracle.spec.kernel_half import process_lives
from memoracle.trace import events
from memoracle.trace.events import operation_of
from memoracle.trace.memory_types import NUMBERS
from memoracle.trace.numbers import number

PageQuestion: TypeAlias = events.PageTranslate | events.PageAttributes


class PageAnswers:
    """What is asked of the pages of one trace."""

    def __init__(self, rules: Rules, pages: MappedPages) -> None:
        self.rules = rules
        self.pages = pages
        self.paging = pages.paging
        self.page_shift = rules.geometry.page_shift

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {events.PageTranslate: self.translate, events.PageAttributes: self.attributes}

    def misuses(self) -> Misuses:
        """What of the law each of these questions breaks as it was asked."""
        return {events.PageTranslate: self.violated_by_question, events.PageAttributes: self.violated_by_question}

    def violated_by_question(self, event: PageQuestion, line: int) -> Clause | None:
        virtual, has_64_bits = number(event.virtual), addresses.address_has_64_bits
        if self.pages.is_reserved(virtual):
            return None
        if not self.pages.lives(number(event.process)):
            return process_lives
        return None if has_64_bits(self.rules.geometry, virtual) else has_64_bits

    # page.translate

    def translate(self, event: events.PageTranslate, line: int) -> Finding | None:
        process, virtual = number(event.process), number(event.virtual)
        answer = None if event.result is None else number(event.result)
        pages = self.pages
        if answer is not None and not pages.kernel_pages and self.paging.translate(process, virtual) == answer:
            self.agreed(process, virtual)
            return None
        refused = self.refused(event, process, virtual, line)
        if refused is not None or not self.is_answered(event, process, virtual):
            return refused
        page = self.pages.page_of(virtual)
        kernel_page = pages.kernel_pages.get(page)
        if answer is not None and kernel_page is not None and not kernel_page.frame_is_known:
            return self.first_seen(kernel_page, page, answer - (virtual - page))
        if self.paging.translate(process, virtual) == answer:
            self.agreed(process, virtual)
            if answer is None:
                pages.know_direct(virtual)
            return None
        shown = None if answer is None else answer - (virtual - page)
        if shown is not None and pages.may_be_direct(virtual) and shown == self.rules.geometry.direct_address(page):
            pages.was_direct_somehow(virtual)
            return None
        if pages.kept(process, page, lambda before: before.shows(shown)):
            return self.translate(event, line)
        return self.unless_doubted(process, page, shown, self.of_translation(process, virtual, answer))

    def of_translation(self, process: int, virtual: int, answer: int | None) -> Finding:
        """A wrong translation, in words."""
        pages, kernel_page = self.pages, self.pages.kernel_pages.get(self.pages.page_of(virtual))
        clause = law.nothing_is_mapped if answer is None else law.translates_what_is_mapped
        seen = "nothing is mapped there" if answer is None else f"it is mapped to {answer:#x}"
        message = f"it says that {seen}, but {virtual:#x} {pages.mapped_to(process, virtual)}"
        due = self.paging.translate(process, virtual)
        legal = "null" if due is None else f"{due:#x}"
        if pages.may_be_direct(virtual):
            direct = self.rules.geometry.direct_address(virtual)
            message = f"it says that {seen}, but the direct map shows {direct:#x} at {virtual:#x}"
            legal = f"{direct:#x}, or null"
        if kernel_page is not None and not kernel_page.frame_is_known:
            legal = "the address of a frame that nobody else has"
        state = pages.around(process, virtual)
        return Finding(clause.name, clause.says, message, legal, state, state)

    def agreed(self, process: int, virtual: int) -> None:
        """A page is mapped as the trace explains, or not mapped: that settles what was in doubt of it."""
        doubts = self.pages.doubts
        if doubts.shown or doubts.replaced or doubts.suspected:
            key = space_and_page(process, self.pages.page_of(virtual))
            doubts.shown.pop(key, None)
            doubts.replaced.pop(key, None)
            doubts.suspected.discard(key)
            self.pages.lost_kernel_pages.pop(key[1], None)

    def unless_doubted(self, process: int, page: int, shown: int | None, finding: Finding) -> Finding | None:
        """A wrong answer about a page, unless the same was given before; it is remembered, and changes nothing.

        shown: what the page is mapped to by this answer (UNKNOWN: to something), or None.
        """
        key, doubted = space_and_page(process, page), self.pages.doubts.shown
        self.pages.doubts.was_otherwise(key)
        self.pages.spread(*key)
        if key in doubted and agree(doubted[key], shown):
            doubted[key] = doubted[key] if shown == UNKNOWN else shown
            return None
        doubted[key] = shown
        if shown is None:
            self.pages.doubts.was_not_mapped(process, page)
        return finding

    def first_seen(self, kernel_page: KernelPage, page: int, physical: int) -> Finding | None:
        """The frame of one of the kernel pages is named for the first time; nothing else has it."""
        pages, frames, block = self.pages, self.pages.frames, kernel_page.block
        allowed = self.paging.attributes(0, page)
        state, rules = mappings_of(self.paging), (law.frame_is_aligned, law.frame_is_addressable)
        clause = next((rule for rule in rules if not rule(state, physical)), None)
        if clause is not None:
            before, words = pages.around(0, page), page_words.describe(clause, self.paging, page, physical)
            return Finding(clause.name, clause.says, words, "the address of a frame", before, before)
        frame = physical >> self.page_shift
        if frames.frame_at(physical) is None or not frames.bitmap.take(frame):
            return frames.allocated_wrongly(physical)
        frames.remember(frame, block.line)
        frames.kernel_page_frames[frame] = block.line
        self.paging.unmap(0, page)
        self.paging.map(0, page, pages.some_leaf(physical) if allowed is None else leaf(physical, allowed))
        block.frames[kernel_page.place] = frame
        if block.unknown:
            block.unknown -= 1
            self.rules.found(1)
        return None

    # page.attributes

    def attributes(self, event: events.PageAttributes, line: int) -> Finding | None:
        process, virtual = number(event.process), number(event.virtual)
        answer, pages = event.result, self.pages
        refused = self.refused(event, process, virtual, line)
        if refused is not None or not self.is_answered(event, process, virtual):
            return refused
        told = None if answer is None else attributes_of(answer)
        page = self.pages.page_of(virtual)
        kernel_page = pages.kernel_pages.get(page)
        if told is not None and kernel_page is not None and not kernel_page.allowed_is_known:
            kernel_page.allowed_is_known = self.adopt_attributes(0, page, told)
        key, adopted = space_and_page(process, page), pages.doubts.adopted
        if told is not None and key in adopted and self.adopt_attributes(process, page, told):
            adopted.discard(key)
        if told is not None and not told.user and pages.may_be_direct(page):
            pages.was_direct(page, leaf(self.rules.geometry.direct_address(page) or 0, told))
        due = self.paging.attributes(process, virtual)
        if told is due is None:
            pages.know_direct(virtual)
        if told == due:
            if pages.doubts.shown or pages.doubts.replaced or pages.doubts.suspected:
                self.agreed_in_attributes(key, told)
            return None
        if self.is_as_before(process, page, told, due):
            return self.attributes(event, line)
        clause = law.nothing_is_mapped if told is None else law.attributes_are_the_mappings
        seen = "nothing is mapped there" if told is None else f"it is {page_words.told(told)}"
        true = f"it is {page_words.told(due)}" if due is not None else "nothing is mapped there"
        state = pages.around(process, virtual)
        message, legal = f"it says of {virtual:#x} that {seen}, but {true}", page_words.told(due) if due else "null"
        finding = Finding(clause.name, clause.says, message, legal, state, state)
        if told is not None and due is not None:
            return finding  # mapped it is
        return self.unless_doubted(process, page, None if told is None else UNKNOWN, finding)

    def agreed_in_attributes(self, key: Key, told: Attributes | None) -> None:
        """What is allowed is as the trace explains: that settles whether a page is mapped, not which frame it shows."""
        doubts = self.pages.doubts
        if told is None or doubts.shown.get(key, UNKNOWN) is None:
            doubts.shown.pop(key, None)
            doubts.suspected.discard(key)
            self.pages.lost_kernel_pages.pop(key[1], None)
        before = doubts.replaced.get(key)
        if before is None or told is None:
            return
        if not before.allows(told.cache, told.writable, told.executable, told.global_):
            del doubts.replaced[key]

    def is_as_before(self, process: int, page: int, told: Attributes | None, due: Attributes | None) -> bool:
        """Whether a page that was mapped twice allows by an answer what it did before the second time."""
        if told is None or due is None or told.user != due.user:
            return False
        cache, writable, _, executable, global_ = told
        return self.pages.kept(process, page, lambda before: before.allows(cache, writable, executable, global_))

    def adopt_attributes(self, process: int, page: int, told: Attributes) -> bool:
        """Takes what was answered for what a mapped page allows, if it can be."""
        physical = self.paging.translate(process, page)
        if physical is None or not law.type_is_available(mappings_of(self.paging), told.cache):
            return False
        self.paging.unmap(process, page)
        return self.paging.map(process, page, leaf(physical, told))

    # Both

    def refused(
        self,
        event: PageQuestion,
        process: int,
        virtual: int,
        line: int,
    ) -> Finding | None:
        """What is wrong with a refusal, or with an answer where there is none to give."""
        pages = self.pages
        if not pages.is_judged(virtual):
            return None
        if not pages.lives(process):
            return pages.unknown_process(event, line, self.handlers()[type(event)])
        clause = addresses.address_has_64_bits
        if not clause(self.rules.geometry, virtual):
            if not event.succeeded:
                return None
            state = pages.around(process, virtual)
            message = page_words.describe(clause, self.paging, virtual)
            return Finding(clause.name, clause.says, message, REFUSAL, state, state)
        if event.succeeded:
            return None
        op, says = operation_of(event), "asking what is mapped at an address always succeeds"
        return wrongly_failed(op, event.error, "an answer", says, pages.around(process, virtual))

    def is_answered(self, event: PageQuestion, process: int, virtual: int) -> bool:
        """Whether there is an answer to hold against the truth."""
        pages = self.pages
        has_64_bits = addresses.address_has_64_bits(self.rules.geometry, virtual)
        return event.succeeded and pages.is_judged(virtual) and pages.lives(process) and bool(has_64_bits)


def agree(doubted: int | None, shown: int | None) -> bool:
    """Whether a page may be mapped to both of these (UNKNOWN: to something), or to nothing by both."""
    if None in (doubted, shown):
        return doubted == shown
    return doubted == shown or UNKNOWN in (doubted, shown)


def leaf(physical: int, allowed: Attributes) -> Leaf:
    return Leaf(physical, allowed.cache, allowed.writable, allowed.executable, allowed.global_)


def attributes_of(told: events.Attributes) -> Attributes:
    return Attributes(NUMBERS[told.cache], told.writable, told.user, told.executable, told.global_)
