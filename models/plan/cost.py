"""What steps take, in seconds and bytes: reckoned from what was measured, and corrected by what steps have taken."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from models.plan.candidates import Candidate
from models.plan.speeds import Speeds
from models.plan.steps import Bank, Step
from models.plan.worth import HEADS, SCRATCH_HEAD

# Parts of a step, in whose seconds it is corrected by what earlier steps have taken.
FEATURES, FIT = "features", "fit"
# Five folds of 36,037 chips took 26 s for 8 epochs of linear heads, 231 s for 20 of 512 units, and 305 s for 48 of 256.
SHARE_OF_PEAK = 0.95  # of the speed that `matrix_speed` measures
EACH_VALUE = 2.5e-9  # seconds to read a feature of a chip and make it ready
EPOCHS = 1.2  # how much longer an epoch from scratch takes than its steps alone, for making batches and the like
EACH_FOLD, EACH_MODEL = 1.0, 3.0  # seconds beside the arithmetic, for files and networks
MARGIN = 1.15  # seconds are foreseen a little too long, lest the last step be cut off

Row = tuple[str, int, str, str]  # of a bank, by recipe, size, split and view
Made = dict[Row, int]  # how many chips have features there


@dataclass(frozen=True)
class Facts:
    """What the seconds of a step depend on, beside the step and the machine.

    Attributes:
        num_train: labelled chips.
        num_test: chips to predict that are to be scored; 0 if there are none, or none are asked for.
        num_labels: labels.
        num_folds: folds of all repeats.
        share_held_out: of the labelled chips, by each fold.
        chip_size: pixels along each side of a chip in its file.
    """

    num_train: int
    num_test: int
    num_labels: int
    num_folds: int
    share_held_out: float
    chip_size: int


@dataclass(frozen=True)
class Seconds:
    """What a step takes.

    Attributes:
        features: decoding, and filling its banks.
        fit: training its heads or networks, and scoring by them.
        choosing: the blend and rule of all models so far.
    """

    features: float
    fit: float
    choosing: float = 0.0

    @property
    def whole(self) -> float:
        """All of it."""
        return self.features + self.fit + self.choosing


@dataclass
class Costs:
    """Reckons steps.

    Attributes:
        facts: numbers of chips and the like.
        speeds: of this machine.
        candidates: by the name of the recipe.
        made: rows of banks that are made.
        decoded: pixels along each side at which the chips are decoded.
        corrections: by a part of a step and the head, seconds taken over those foreseen.
    """

    facts: Facts
    speeds: Speeds
    candidates: Mapping[str, Candidate]
    made: Made = field(default_factory=dict)
    decoded: set[int] = field(default_factory=set)
    corrections: dict[str, float] = field(default_factory=dict)
    _fits: dict[Step, float] = field(default_factory=dict)  # what was reckoned before: a search asks for it often

    def of(self, steps: Sequence[Step]) -> list[Seconds]:
        """Return what steps take one after another; what an earlier one makes, a later one finds."""
        made, decoded, seconds = dict(self.made), set[int](), []
        for step in steps:
            features = 0.0
            for bank in step.banks:
                for size in self.sizes_of([bank]) - decoded:
                    decoded.add(size)
                    features += self.to_decode(size)
                features += self.of_bank(bank, made)
                made.update(bank.rows(self.facts.num_train, self.facts.num_test))
            seconds.append(Seconds(MARGIN * features, MARGIN * self.of_fit(step)))
        return seconds

    def of_fit(self, step: Step) -> float:
        """Return the seconds for heads or a network and their scores, as they were corrected so far."""
        if step not in self._fits:
            self._fits[step] = self.plain_fit(step)
        return self._fits[step] * self.corrections.get(f"{FIT} {step.head}", 1.0)

    def plain_fit(self, step: Step) -> float:
        """Return the seconds for heads or a network and their scores, as they follow from what was measured."""
        facts, speeds = self.facts, self.speeds
        folds = facts.num_folds
        learning = folds * facts.num_train * (1 - facts.share_held_out)
        scored = self._num_scored(step)
        if step.head == SCRATCH_HEAD:
            bank = step.banks[0]
            a_chip = speeds.seconds_a_chip(bank.source, bank.size)
            a_score = speeds.seconds_a_score(bank.source, bank.size)
            ready = speeds.ready.get(bank.source, 0.0)
            judged = bank.epochs * facts.num_train * facts.num_folds * facts.share_held_out  # after every epoch
            epochs = EPOCHS * bank.epochs * a_chip * learning
            return folds * (ready + EACH_FOLD) + epochs + a_score * (scored + judged)
        features = sum(speeds.features[bank.source] for bank in step.banks)
        loading = sum(speeds.ready.get(bank.source, 0.0) for bank in step.banks) / 2  # the networks are kept beside it
        recipe = replace(self.candidates[step.banks[0].source].recipe, **HEADS[step.head].values)
        widths = (features, *recipe.dense, facts.num_labels)
        weights = sum(before * after for before, after in itertools.pairwise(widths))
        arithmetic = recipe.seeds * weights * (6.0 * recipe.epochs * learning + 2.0 * scored)
        values = features * (recipe.epochs * learning + scored)
        reckoned = arithmetic / (speeds.flops * SHARE_OF_PEAK) + values * EACH_VALUE
        return loading + EACH_MODEL + folds * EACH_FOLD + reckoned

    def _num_scored(self, step: Step) -> float:
        """Return how many times a chip is scored: test chips by every fold."""
        views = len(step.banks[0].test_views)
        return views * (self.facts.num_train * self.facts.num_folds * self.facts.share_held_out) + (
            views * self.facts.num_test * self.facts.num_folds
        )

    def to_decode(self, size: int) -> float:
        """Return the seconds to decode all chips at a size of theirs, if they are not decoded yet."""
        many = 0 if size in self.decoded else self.facts.num_train + self.facts.num_test
        return self.speeds.seconds_to_decode(size) * many

    def of_bank(self, bank: Bank, made: Mapping[Row, int] | None = None) -> float:
        """Return the seconds to fill a bank whose chips are decoded.

        Args:
            bank: the bank.
            made: rows that are made; None: those that are made now.
        """
        if self.candidates[bank.source].from_scratch or not (lacking := self.lacking(bank, made)):
            return 0.0
        corrected = self.corrections.get(f"{FEATURES} {bank.source}", 1.0)
        ready = self.speeds.ready.get(bank.source, 0.0)
        return ready + lacking * self.speeds.seconds_a_chip(bank.source, bank.size) * corrected

    def lacking(self, bank: Bank, made: Mapping[Row, int] | None = None) -> int:
        """Return how many feature vectors of a bank are not made yet."""
        rows = bank.rows(self.facts.num_train, self.facts.num_test)
        made = self.made if made is None else made
        return sum(max(0, count - made.get(key, 0)) for key, count in rows.items())

    def sizes_of(self, banks: Iterable[Bank]) -> set[int]:
        """Return the pixels along each side at which chips are decoded for some banks."""
        return {min(bank.size, self.facts.chip_size) for bank in banks}

    def room_for(self, banks: Collection[Bank]) -> int:
        """Return the bytes on the disk that banks and the chips decoded for them still take."""
        return sum(map(self.bytes_of, banks)) + sum(map(self.bytes_to_decode, self.sizes_of(banks)))

    def bytes_of(self, bank: Bank) -> int:
        """Return the bytes that a bank still takes, its decoded chips left out."""
        if self.candidates[bank.source].from_scratch:
            return 0
        return 2 * self.lacking(bank) * self.speeds.features[bank.source]

    def bytes_to_decode(self, size: int) -> int:
        """Return the bytes that all chips take, decoded at a size of theirs as 8-bit RGB, if they are not yet."""
        many = 0 if size in self.decoded else self.facts.num_train + self.facts.num_test
        return 3 * size * size * many

    def correct(self, part: str, foreseen: float, taken: float) -> None:
        """Take over how much longer or shorter a part of a step took than was foreseen without corrections."""
        if foreseen > 1 and taken > 0:
            self.corrections[part] = math.exp(max(-2.0, min(2.0, math.log(taken / foreseen))))
