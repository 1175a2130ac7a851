"""How often the simulator draws each label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from competition.simulator.render import LABELS

Bools = NDArray[np.bool_]

# Share of each weather among all chips; the rest is clear.
WEATHER_RATES = {"cloudy": 0.0516, "haze": 0.0668, "partly_cloudy": 0.1791}

# Share of chips with a label, given its parents, among chips that are not cloudy. The rates count through the parents
# in binary, the first parent slowest: (neither, second, first, both).
GROUND_RATES: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "primary": (("clear",), (0.988, 0.973)),
    "agriculture": (("primary",), (0.40, 0.318)),
    "water": (("primary", "agriculture"), (0.64, 0.21, 0.17, 0.22)),
    "road": (("primary", "agriculture", "water"), (0.54, 0.07, 0.69, 0.31, 0.045, 0.218, 0.504, 0.429)),
    "habitation": (("road", "agriculture"), (0.014, 0.084, 0.287, 0.367)),
    "cultivation": (("primary", "agriculture", "road"), (0.02, 0.02, 0.06, 0.03, 0.040, 0.075, 0.360, 0.197)),
    "artisinal_mine": (("water", "agriculture"), (0.0014, 0.0011, 0.058, 0.010)),
    "bare_ground": (("primary", "road", "agriculture"), (0.239, 0.114, 0.325, 0.110, 0.0145, 0.0138, 0.080, 0.018)),
    "conventional_mine": (("road", "agriculture"), (0.0013, 0.0011, 0.021, 0.0035)),
    "slash_burn": (("primary", "cultivation"), (0.0, 0.0, 0.0026, 0.0288)),
    "selective_logging": (("primary", "road", "agriculture"), (0.0, 0.0, 0.0, 0.0, 0.0067, 0.0061, 0.064, 0.0048)),
    "blooming": (("primary", "agriculture", "road"), (0.0, 0.0, 0.0, 0.0, 0.0126, 0.0030, 0.0046, 0.0008)),
    "blow_down": (("primary", "road"), (0.0, 0.0, 0.0034, 0.0003)),
}
# Labels on fewer than one chip in forty. None is a parent, so boosting them leaves all other labels as they were.
RARE_LABELS = (
    "artisinal_mine", "bare_ground", "blooming", "blow_down", "conventional_mine", "selective_logging", "slash_burn",
)  # fmt: skip
MAX_BOOSTED_RATE = 0.5


def draw_labels(num_chips: int, rng: np.random.Generator, rare_boost: float = 1.0) -> Bools:
    """Draw label sets as frequent, and as often together, as in the real data.

    Weather is drawn first, then each ground label given those before it. A longer draw from the same state of `rng`
    begins with the shorter one.

    Args:
        num_chips: number of rows.
        rng: source of the draws.
        rare_boost: multiplies the rate of each of `RARE_LABELS` in every situation, up to a rate of one half; a rate
            of 0 stays 0. Other labels keep their rates. Small sets may still lack a label.

    Returns:
        Bool array (num_chips, 17), in the order of `LABELS`; each row has exactly one weather label, and `cloudy`
        always stands alone.
    """
    draws = rng.random((num_chips, 1 + len(GROUND_RATES)))
    table = {label: np.zeros(num_chips, bool) for label in LABELS}
    low = 0.0
    for label, rate in WEATHER_RATES.items():
        table[label] = (draws[:, 0] >= low) & (draws[:, 0] < low + rate)
        low += rate
    table["clear"] = draws[:, 0] >= low
    for column, (label, (parents, rates)) in enumerate(GROUND_RATES.items(), start=1):
        situation = np.zeros(num_chips, int)
        for parent in parents:
            situation = 2 * situation + table[parent]
        chances = np.array(rates)
        if label in RARE_LABELS:
            chances = np.minimum(chances * rare_boost, MAX_BOOSTED_RATE)
        table[label] = (draws[:, column] < chances[situation]) & ~table["cloudy"]
    return np.stack([table[label] for label in LABELS], axis=1)
