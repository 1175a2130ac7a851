"""Which of the labels that show in a chip it carries, where a competition says which exclude each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from competition.common.errors import UserError
from competition.spec.competition import Competition

HIDDEN = 0.8  # share of a chip from which what stands alone, as clouds do, leaves too little of the ground to be seen


@dataclass(frozen=True)
class Rules:
    """What labels of chips keep to.

    Attributes:
        exclusive: groups of labels of which a chip carries one: what covers most of it.
        alone: labels beside which there is no other, on a place and on a chip; they hide the ground.
        always: labels that every chip carries besides, unless these rules forbid it.
    """

    exclusive: tuple[tuple[str, ...], ...] = ()
    alone: tuple[str, ...] = ()
    always: tuple[str, ...] = ()

    @classmethod
    def of(cls, like: Competition | None, always: Sequence[str]) -> Rules:
        """Return the rules of a competition; of none there are none.

        Raises:
            UserError: if labels that every chip is to carry exclude each other.
        """
        if like is None:
            return cls(always=tuple(always))
        rules = cls(like.exclusive, like.alone, tuple(always))
        if dropped := set(always) - set(rules.labels(dict.fromkeys(always, 0.0))):
            raise UserError(
                f"--with {','.join(always)}: no chip of '{like.name}' carries all of them. "
                f"Leave out {' or '.join(label for label in always if label in dropped)}."
            )
        return rules

    def labels(self, shown: Mapping[str, float]) -> tuple[str, ...]:
        """Return the labels of a chip, sorted.

        What stands alone does so where it hides the ground or nothing else shows, and is left out elsewhere.

        Args:
            shown: labels that show in it, and the share of the chip that each covers; 0 of points.
        """
        shares = dict.fromkeys(self.always, -1.0) | dict(shown)  # what shows comes before what is said of all
        hiding = max(shares.keys() & {*self.alone}, key=lambda label: (shares[label], label), default="")
        carried = shares.keys() - {*self.alone}
        if hiding and (shares[hiding] >= HIDDEN or not carried):
            return (hiding,)
        for group in self.exclusive:
            rivals = [label for label in group if label in carried]
            carried -= {*rivals} - {max(rivals, key=lambda label: shares[label], default="")}
        return tuple(sorted(carried))

    def lacks(self, labels: Collection[str]) -> tuple[str, ...]:
        """Return the first group of which a chip with these labels carries none; () if there is none."""
        return next((group for group in self.exclusive if not {*group} & {*labels}), ())
