"""Matrices for tests of metrics: rows and columns that are empty or full, and scores that tie."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

Matrices = tuple[np.ndarray, np.ndarray]


@st.composite
def matrices(draw: st.DrawFn, values: st.SearchStrategy[float] | None = None) -> Matrices:
    """Draw the truth and another matrix, with at least two labels, as scikit-learn wants for multi-label data."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(2, 5)))
    bits = st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    cells = bits if values is None else st.lists(values, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    return np.array(draw(bits)).reshape(shape), np.array(draw(cells)).reshape(shape)


BETAS = st.sampled_from([0.5, 1.0, 2.0])
# Few values, so that scores tie.
SCORES = matrices(st.sampled_from([0.0, 0.2, 0.21, 0.5, 1.0]))


def draw_matrices(num_chips: int, num_labels: int, seed: int = 0) -> Matrices:
    """Return truth and float32 scores that know something of it; labels are rarer and rarer."""
    random = np.random.default_rng(seed)
    rates = np.geomspace(0.6, 0.08, num_labels)
    truth = random.random((num_chips, num_labels)) < rates
    odds = 1.5 * truth + random.normal(size=truth.shape) + np.log(rates)
    return truth, (1 / (1 + np.exp(-odds))).astype(np.float32)
