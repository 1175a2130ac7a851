"""The search for the set of steps that is worth most within a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from models.plan.candidates import Candidate
from models.plan.cost import MARGIN, Costs
from models.plan.steps import Bank, Step, same_views
from models.plan.worth import (
    BACKBONES,
    BRIEF,
    DENSE,
    FEW_CHIPS,
    HEAD_SETS,
    JOINT,
    LINEAR,
    MOST_JOINT,
    OTHER_BACKBONE,
    QUICK,
    SCRATCH,
    SCRATCH_BY_EPOCHS,
    SCRATCH_HEAD,
    VIEWS,
    WIDE,
    Weighed,
    short_of_size,
    sizes_for,
    worth,
)

MOST_OPTIONS = 6  # of size and views, of each candidate
MOST_FIRSTS = 5  # steps to begin with that are weighed
NONE_PAYS = 0.05  # thousandths: a step that adds less is left out
STAY = 0.3  # thousandths by which another plan must be better than what is left of the one before


Option = TypeVar("Option", Bank, Step)


@dataclass(frozen=True, eq=False)
class Search:
    """Searches for one plan.

    Attributes:
        candidates: the recipes to choose from.
        costs: what steps take.
        choosing: returns the seconds of the choice among a number of models.
        begun: steps that count as done.
        left: seconds.
        room: bytes for banks.
        failed: names of steps that cannot be carried out.
    """

    candidates: Sequence[Candidate]
    costs: Costs
    choosing: Callable[[int], float]
    begun: Sequence[Step]
    left: float
    room: int
    failed: Collection[str] = ()
    _banks_priced: dict[Bank, float] = field(default_factory=dict)

    def best(self, before: Sequence[Step] = ()) -> list[Step]:
        """Return the set of steps of most worth that fits, without those begun.

        Args:
            before: what is left of an earlier plan, which stays unless another is clearly better.
        """
        value, best = worth_of(self.begun) + NONE_PAYS, list[Step]()
        if (stays := self._new(before)) and self._fits(stays):
            value, best = worth_of([*self.begun, *stays]) + STAY, stays
        for steps in self._sets():
            if (found := worth_of([*self.begun, *steps])) > value:
                value, best = found, self._new(steps)
        return best

    def firsts(self, seconds: float) -> list[Step]:
        """Return steps to begin with, of those that take no longer than `seconds`: from the quickest to the best."""
        heads = (LINEAR, QUICK, BRIEF, DENSE), (SCRATCH_HEAD,)
        steps = self._known([Step((bank,), head) for bank in self._options for head in heads[bool(bank.epochs)]])
        taken = {step: self._seconds([step]) for step in steps if self._bytes([step]) <= self.room}
        return _paying([step for step in taken if taken[step] <= seconds], taken.__getitem__, MOST_FIRSTS)

    def ordered(self, steps: Sequence[Step]) -> list[Step]:
        """Return steps in the order in which each adds most for its seconds."""
        left, ordered = list(steps), list[Step]()
        while left:
            before, spent = worth_of([*self.begun, *ordered]), self._seconds(ordered)

            def rate(step: Step, before: float = before, spent: float = spent) -> float:
                gain = worth_of([*self.begun, *ordered, step]) - before
                return gain / max(self._seconds([*ordered, step]) - spent, 1e-3)

            best = max(left, key=rate)
            left.remove(best)
            ordered.append(best)
        return ordered

    def _sets(self) -> Iterator[list[Step]]:
        """Yield sets of steps that fit: each begins with one bank, and takes further ones by their worth a second.

        Where one comes to banks that another has come to, it would go on as that one did.
        """
        few = self.costs.facts.num_train <= FEW_CHIPS
        come_to = set[tuple[frozenset[Bank], tuple[str, ...]]]()
        for heads, start in itertools.product(HEAD_SETS, self._options):
            banks: list[Bank] | None = None if WIDE in heads and not few else [start]
            while banks and (place := (frozenset(banks), heads)) not in come_to:
                come_to.add(place)
                steps = self._steps_on(banks, heads)
                if not steps or not self._fits(steps):
                    break
                yield steps
                more = self._next(banks, steps, heads)
                banks = [*banks, more] if more else None

    def _next(self, banks: Sequence[Bank], steps: Sequence[Step], heads: Sequence[str]) -> Bank | None:
        """Return the bank that adds most for its seconds to others; None if none adds anything within the time."""
        known = {(bank.source, bank.size) for bank in banks}
        value, spent = worth_of([*self.begun, *steps]), self._seconds(steps)
        best, found = 0.0, None
        for bank in (bank for bank in self._options if (bank.source, bank.size) not in known):
            larger = self._steps_on([*banks, bank], heads)
            if (gain := worth_of([*self.begun, *larger]) - value) <= NONE_PAYS:
                continue
            rate = gain / max((seconds := self._seconds(larger)) - spent, 1e-3)
            if rate > best and seconds <= self.left and self._bytes(larger) <= self.room:
                best, found = rate, bank
        return found

    def _steps_on(self, banks: Sequence[Bank], heads: Sequence[str]) -> list[Step]:
        """Return the models of some heads on some banks, without those that failed."""
        frozen = [bank for bank in banks if not bank.epochs]
        steps = [Step((bank,), head) for bank in frozen for head in heads if head != JOINT]
        of_backbone = {bank.label: bank for bank in sorted(frozen, key=lambda bank: -bank.short)}  # the best of each
        if JOINT in heads and len(of_backbone) > 1:
            best = sorted(of_backbone.values(), key=lambda bank: bank.short)[:MOST_JOINT]
            steps.append(Step(same_views(best), JOINT))
        return self._known([*steps, *(Step((bank,), SCRATCH_HEAD) for bank in banks if bank.epochs)])

    def _known(self, steps: list[Step]) -> list[Step]:
        return [step for step in steps if step.name not in self.failed] if self.failed else steps

    def _new(self, steps: Sequence[Step]) -> list[Step]:
        return self._known([step for step in steps if step not in self.begun])

    def _fits(self, steps: Sequence[Step]) -> bool:
        return self._seconds(steps) <= self.left and self._bytes(steps) <= self.room

    def _seconds(self, steps: Sequence[Step]) -> float:
        """Return what steps take; those begun take nothing any more.

        It is what `Costs.of` adds up to, or a little more where two steps share a part of a bank, and much quicker.
        """
        new, seen = self._new(steps), dict[tuple[str, int], int]()
        seconds = sum(self.choosing(len(self.begun) + number) for number in range(1, len(new) + 1))
        for step in new:
            seconds += MARGIN * self.costs.of_fit(step)
            for bank in step.banks:
                place = VIEWS.index(bank.views)
                if place > seen.get((bank.source, bank.size), -1):
                    seen[bank.source, bank.size] = place
                    seconds += self._bank_seconds(bank)
        sizes = self.costs.sizes_of(bank for step in new for bank in step.banks)
        return seconds + MARGIN * sum(map(self.costs.to_decode, sizes))

    def _bank_seconds(self, bank: Bank) -> float:
        if bank not in self._banks_priced:
            self._banks_priced[bank] = MARGIN * self.costs.of_bank(bank)
        return self._banks_priced[bank]

    def _bytes(self, steps: Sequence[Step]) -> int:
        return self.costs.room_for({bank for step in steps for bank in step.banks})

    @cached_property
    def _options(self) -> list[Bank]:
        """The ways to show chips to the candidates, of each at most some: none that costs more for less."""
        found = list[Bank]()
        for candidate in self.candidates:
            found += _paying(self._banks(candidate), self._price, MOST_OPTIONS)
        return list(dict.fromkeys([*found, *(bank for step in self.begun for bank in step.banks)]))

    def _price(self, bank: Bank) -> float:
        return self.costs.of([Step((bank,), SCRATCH_HEAD if bank.epochs else LINEAR)])[0].whole

    def _banks(self, candidate: Candidate) -> Iterator[Bank]:
        backbone, chip_size = candidate.recipe.backbone, self.costs.facts.chip_size
        known = self.costs.speeds.known(candidate.source)
        for size in (size for size in candidate.sizes(sizes_for(chip_size)) if known and size >= known[0]):
            lost = short_of_size(size, chip_size)
            for views in VIEWS:
                if not candidate.from_scratch:
                    short = BACKBONES.get(backbone, OTHER_BACKBONE) + lost + views.short
                    yield Bank(candidate.source, candidate.label, size, views, 0, short)
                    continue
                for epochs, fewer in SCRATCH_BY_EPOCHS.items():
                    short = SCRATCH.get(backbone, max(SCRATCH.values())) + lost + fewer + views.short
                    yield Bank(candidate.source, candidate.label, size, views, epochs, short)


def _paying(options: Iterable[Option], price: Callable[[Option], float], most: int) -> list[Option]:
    """Return options in the order of their price, none that costs more for less, and at most so many, evenly."""
    kept: list[Option] = []
    for option in sorted(options, key=lambda option: (price(option), option.short)):
        if not kept or option.short < kept[-1].short:
            kept.append(option)
    last = len(kept) - 1
    return kept if last < most else [kept[round(number * last / (most - 1))] for number in range(most)]


def worth_of(steps: Sequence[Step]) -> float:
    """Return what the best blend of steps' models is worth; see `worth`."""
    weighed = list[Weighed]()
    for step in dict.fromkeys(steps):
        weighed.append(Weighed(step.features, step.head, step.short))
        if step.head == JOINT:
            weighed += [Weighed(((bank.label, bank.size),), DENSE, bank.short) for bank in step.banks]
    return worth(weighed)
