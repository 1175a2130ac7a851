"""How fast a machine is at what steps are made of, as it was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Speeds:
    """What was measured.

    Attributes:
        chips: by recipe and input size ("densenet121_levels 64"), seconds for the features, or from scratch for a step
            of training, of one chip.
        scores: of networks from scratch, the same for their scores.
        ready: by recipe, seconds until its network runs.
        features: by recipe, how many it has.
        decode: by pixels along each side, seconds to decode a chip.
        flops: products and sums a second, of matrices of float32.
    """

    chips: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    ready: dict[str, float] = field(default_factory=dict)
    features: dict[str, int] = field(default_factory=dict)
    decode: dict[str, float] = field(default_factory=dict)
    flops: float = 0.0

    def seconds_a_chip(self, source: str, size: int) -> float:
        """Return the seconds for one chip at an input size, by the nearest size that was measured.

        From one size to another they grow as the number of pixels does: small sizes do worse than that, so that from
        the smallest on this is an upper bound.
        """
        return _by_pixels(self.chips, source, size)

    def seconds_a_score(self, source: str, size: int) -> float:
        """Return the same for the scores of a network from scratch."""
        return _by_pixels(self.scores, source, size)

    def seconds_to_decode(self, size: int) -> float:
        """Return the seconds in which a chip is decoded, of the nearest size that was measured."""
        if not self.decode:
            return 0.0
        return self.decode[min(self.decode, key=lambda known: abs(int(known) - size))]

    def known(self, source: str) -> list[int]:
        """Return the input sizes at which a recipe was measured, in ascending order."""
        return sorted(int(key.rpartition(" ")[2]) for key in self.chips if key.rpartition(" ")[0] == source)


def _by_pixels(seconds: dict[str, float], source: str, size: int) -> float:
    sizes = [int(key.rpartition(" ")[2]) for key in seconds if key.rpartition(" ")[0] == source]
    nearest = min(sizes, key=lambda known: abs(math.log(known / size)))
    return seconds[f"{source} {nearest}"] * (size / nearest) ** 2
