"""Linear heads fitted at once, without epochs: least squares in closed form, and scikit-learn's logistic regression.

Both look at standardised features, choose each label's penalty on a fifth of the training chips, set aside for that,
and end as the kernel and bias of a linear head's logits, so that whatever takes a trained head takes them.

Least squares is ours, not scikit-learn's RidgeCV. That wants every chip under every view in memory at once, in float64:
of 3,000 chips under 8 views with 1,280 features it took 36 s and 885 MB, ours 2.3 s and 6 MB, on two cores. And it
leaves out one row at a time to choose a penalty, while the same chip under other views stays, so it chooses weaker ones
(0.3 for each of 17 labels, ours 1 to 3).
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import logit

from competition.common.progress import reporter
from models.inputs.batches import Batches, slices
from models.inputs.examples import Examples, smoothed_frequency
from models.inputs.feature_bank import FeatureBank
from models.networks.monitor import KEY
from models.recipes.recipe import Recipe
from models.runs.training_state import Epoch, TrainingState

RIDGE_PENALTIES = np.geomspace(1e-3, 10, 9)  # on the mean square over chips
LOGISTIC_PENALTIES = (1e-1, 1e-2, 1e-3)  # on the mean log loss over chips, the strongest first
PART = 2048  # chips read at once
EXACT, REFINEMENTS = 1e-8, 10  # largest residual of a solution, and how often it is refined before float64 is taken


def solve(head: keras.Model, examples: Examples, recipe: Recipe, folder: Path) -> None:
    """Fit a linear head and write its figures as those of one epoch.

    Args:
        head: compiled head without dense layers; receives the weights.
        examples: the chips to learn from and those held out; their source is a bank of features under the views that
            the recipe's augmentation draws.
        recipe: solver, augmentation and seed.
        folder: receives the history.
    """
    started, bank = time.monotonic(), examples.source
    assert isinstance(bank, FeatureBank)  # a recipe with a solver is always on the bank
    order = np.random.default_rng(recipe.seed).permutation(examples.training)
    aside, kept = np.split(order, [max(1, len(order) // 5)])
    probe = _Probe(bank, recipe.drawn_views, examples.truth, kept, aside, *_moments(bank, kept))
    kernel, bias = probe.ridge() if recipe.solver == "ridge" else probe.logistic(recipe.seed)
    kernel = kernel / probe.scale[:, None]
    head.get_layer("logits").set_weights([kernel, bias - probe.mean @ kernel])
    state = TrainingState([_figures(head, examples, recipe, time.monotonic() - started)], best=0)
    folder.mkdir(parents=True, exist_ok=True)
    state.write(folder / "history.json")
    metric = f"{examples.task.metric.title} {state.best_metric:.4f}"
    reporter.say(f"Fitted by {recipe.solver} in {state.history[0].seconds:.0f} s; held-out {metric}.")


def _figures(head: keras.Model, examples: Examples, recipe: Recipe, seconds: float) -> Epoch:
    learnt, held = (
        head.evaluate(Batches(examples.source, positions, examples.truth, PART), verbose=0, return_dict=True)
        for positions in (examples.training, examples.heldout)
    )
    return Epoch(0, learnt["loss"], learnt[KEY], held["loss"], held[KEY], 0.0, seconds, 0)


def _moments(bank: FeatureBank, positions: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and spread (num_features,) of the features of some chips."""
    total, squares = np.zeros(bank.num_features), np.zeros(bank.num_features)
    for _, part in slices(positions, PART):
        features = bank.read(part).astype(np.float64)
        total += features.sum(axis=0)
        squares += (features**2).sum(axis=0)
    mean = total / len(positions)
    return mean, np.sqrt(np.maximum(squares / len(positions) - mean**2, 0)) + 1e-3


@dataclass(frozen=True)
class _Probe:
    """A linear head to be fitted on standardised features.

    Attributes:
        bank: the features.
        views: the views under which they are learnt.
        truth: bool array (num_chips, num_labels).
        kept: positions of the chips to fit on.
        aside: positions of the chips that choose the penalties.
        mean, scale: float64 arrays (num_features,): what features are standardised by.
    """

    bank: FeatureBank
    views: tuple[str, ...]
    truth: NDArray[np.bool_]
    kept: NDArray[np.int64]
    aside: NDArray[np.int64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def ridge(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return kernel and bias of least squares on 0 and 1 under every view, calibrated by Platt's scaling (1999)."""
        frequency = self.truth[self.kept].mean(axis=0)
        kernels = self._kernels(frequency)
        parts = [self._under(part, "identity") @ kernels for _, part in slices(self.aside, PART)]
        answers = np.concatenate(parts, axis=1)  # (num_penalties, num_chips, num_labels)
        errors = ((answers + frequency - self.truth[self.aside]) ** 2).mean(axis=1)
        best, labels = errors.argmin(axis=0), np.arange(len(frequency))
        calibrated = [
            _platt(answers[best[label], :, label], self.truth[self.aside, label], self._odds(int(label)))
            for label in labels
        ]
        slopes, bias = np.array(calibrated).T
        return kernels[best, :, labels].T * slopes, bias

    def _kernels(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the least-squares kernels (num_penalties, num_features, num_labels) for truth - frequency.

        By the products of the features with each other, so that memory does not grow with the number of chips; where
        there are fewer rows, a chip under a view, than features, by those of the rows (Saunders et al. 1998).
        """
        count = len(self.kept) * len(self.views)
        if count >= self.bank.num_features:
            products, answers = self._products(self.kept, frequency)
            return np.stack([_solved(products, penalty, answers) for penalty in RIDGE_PENALTIES])
        rows = np.concatenate([self._under(self.kept, view) for view in self.views]).astype(np.float64)
        answers = np.tile(self.truth[self.kept] - frequency, (len(self.views), 1)) / count
        products = rows @ rows.T / count
        return np.stack([rows.T @ _solved(products, penalty, answers) for penalty in RIDGE_PENALTIES])

    def _products(
        self, positions: NDArray[np.int64], frequency: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the means over chips and views of features x features and of features x (truth - frequency)."""
        size = self.bank.num_features
        products, answers = np.zeros((size, size)), np.zeros((size, len(frequency)))
        for view in self.views:
            for _, part in slices(positions, PART):
                features = self._under(part, view)
                products += features.T @ features
                answers += features.T @ (self.truth[part] - frequency).astype(np.float32)
        count = len(positions) * len(self.views)
        return products / count, answers / count

    def _under(self, positions: NDArray[np.int64], view: str) -> NDArray[np.float32]:
        return ((self.bank.under(view, positions) - self.mean) / self.scale).astype(np.float32)

    def logistic(self, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return kernel and bias of one logistic regression per label, each chip under one random view.

        All training features are in memory at once: 4 bytes per chip and feature.
        """
        drawn = np.random.default_rng([seed, 1]).integers(len(self.views), size=len(self.kept))
        features = np.empty((len(self.kept), self.bank.num_features), dtype=np.float32)
        for number, view in enumerate(self.views):
            features[drawn == number] = self._under(self.kept[drawn == number], view)
        aside = self._under(self.aside, "identity")
        with ThreadPoolExecutor(cpu_count()) as pool:
            fitted = list(pool.map(lambda label: self._one(label, features, aside), range(self.truth.shape[1])))
        return np.stack([kernel for kernel, _ in fitted], axis=1), np.array([bias for _, bias in fitted])

    def _one(
        self, label: int, features: NDArray[np.float32], aside: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], float]:
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import log_loss

        truth, expected = self.truth[self.kept, label], self.truth[self.aside, label]
        best = (np.inf, np.zeros(features.shape[1]), self._odds(label))
        if truth.all() or not truth.any():
            return best[1:]
        regression = LogisticRegression(warm_start=True, max_iter=200, tol=1e-3)
        for penalty in LOGISTIC_PENALTIES:
            regression.C = 1 / (penalty * len(truth))
            regression.fit(features, truth)
            loss = log_loss(expected, regression.predict_proba(aside)[:, 1], labels=[False, True])
            if loss < best[0]:
                best = (loss, regression.coef_[0].copy(), float(regression.intercept_[0]))
        return best[1:]

    def _odds(self, label: int) -> float:
        """Return the log of a label's odds among the chips to fit on."""
        return float(logit(smoothed_frequency(self.truth[self.kept, label])))


def _solved(products: NDArray[np.float64], penalty: float, answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the solution of (products + penalty) @ solution = answers.

    A decomposition in float32 takes a fraction of the time of one in float64, and residuals in float64 refine what it
    gives (Langou et al. 2006). One for each penalty is faster than the eigenvectors that would serve all of them.
    """
    single = products.astype(np.float32)
    single.flat[:: len(single) + 1] += np.float32(penalty)
    with suppress(np.linalg.LinAlgError):  # rounded to float32 it may no longer be positive
        factor = cho_factor(single.T, overwrite_a=True)  # in the order of LAPACK, which would be given a copy else
        solution = cho_solve(factor, answers.astype(np.float32)).astype(np.float64)
        for _ in range(REFINEMENTS):
            left = answers - products @ solution - penalty * solution
            if (np.linalg.norm(left, axis=0) <= EXACT * np.linalg.norm(answers, axis=0)).all():
                return solution
            solution += cho_solve(factor, left.astype(np.float32))
    exact: NDArray[np.float64] = cho_solve(cho_factor(products + penalty * np.eye(len(products))), answers)
    return exact


def _platt(answers: NDArray[np.float64], truth: NDArray[np.bool_], odds: float) -> tuple[float, float]:
    """Return the slope and intercept that turn a label's least-squares answers into log odds (Platt 1999).

    Args:
        answers: float array (num_chips,).
        truth: bool array (num_chips,), whether the chips carry the label.
        odds: the intercept where all or none do.
    """
    from sklearn.linear_model import LogisticRegression

    if truth.all() or not truth.any():
        return 0.0, odds
    spread = answers.std() + 1e-12
    regression = LogisticRegression(C=1e3).fit(answers[:, None] / spread, truth)
    return float(regression.coef_[0, 0] / spread), float(regression.intercept_[0])
