"""TabM by its own package, trained as in its own example: AdamW, gradients clipped, the best epoch by inner chips.

Where time is left after all folds, further seeds are trained and averaged. Variants with the word "embedded" have the
example's quantiles and embeddings, which make 16 columns of each feature; the others its simple preprocessing. Variants
with "small" have 8 members and two blocks of 256 units, a thirtieth of the work: on two cores the usual size, 32
members and three blocks of 512 units, sees few epochs.
"""

from __future__ import annotations

from itertools import count

import numpy as np
import rtdl_num_embeddings
import tabm
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from tests.benchmarks.peers.assignment import CORES, Assignment

BATCH, AT_ONCE, PATIENCE = 256, 1024, 16
SMALL = {"k": 8, "n_blocks": 2, "d_block": 256}


def prepared(
    assignment: Assignment, training: NDArray[np.int64], heldout: NDArray[np.int64]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the features of the chips to learn from and of those held out, standardised, or their quantiles normal."""
    learnt, asked = assignment.features[training], assignment.features[heldout]
    if "embedded" in assignment.words:
        number = max(min(len(training) // 30, 1000), 10)
        scaler = QuantileTransformer(n_quantiles=number, output_distribution="normal", subsample=10**9)
        scaler.fit(learnt + np.random.default_rng(0).normal(0.0, 1e-5, learnt.shape).astype(np.float32))
    else:
        scaler = StandardScaler().fit(learnt)
    return tuple(torch.as_tensor(scaler.transform(part), dtype=torch.float32) for part in (learnt, asked))


def network(features: torch.Tensor, num_labels: int, words: list[str]) -> tabm.TabM:
    """Return a new network."""
    embeddings = None
    if "embedded" in words:
        bins = rtdl_num_embeddings.compute_bins(features, n_bins=48)
        embeddings = rtdl_num_embeddings.PiecewiseLinearEmbeddings(bins, 16, activation=False, version="B")
    sizes = SMALL if "small" in words else {}
    return tabm.TabM.make(n_num_features=features.shape[1], d_out=num_labels, num_embeddings=embeddings, **sizes)


@torch.inference_mode()
def scores_of(model: tabm.TabM, features: torch.Tensor) -> torch.Tensor:
    """Return scores (num_chips, num_labels), means over the members."""
    model.eval()
    return torch.cat([torch.sigmoid(model(part)).mean(dim=1) for part in features.split(AT_ONCE)])


def trained(
    model: tabm.TabM,
    features: torch.Tensor,
    truth: torch.Tensor,
    heldout: torch.Tensor,
    assignment: Assignment,
    end: float,
) -> NDArray[np.float32]:
    """Return the scores of the chips held out by the best epoch, or the one that time ended.

    Args:
        model: changes in place.
        features: of the chips to learn from.
        truth: theirs.
        heldout: features of the chips held out.
        assignment: tells how many seconds are left.
        end: as many are to be left when it is over.
    """
    learnt, inner = train_test_split(np.arange(len(features)), test_size=0.2, random_state=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=3e-4)
    best, scores, since = np.inf, None, 0
    while since <= PATIENCE and assignment.left > end:
        for batch in torch.as_tensor(learnt)[torch.randperm(len(learnt))].split(BATCH):
            if assignment.left <= end:
                break
            model.train()
            optimizer.zero_grad()
            logits = model(features[batch])  # (num_chips, num_members, num_labels)
            targets = truth[batch].unsqueeze(1).expand_as(logits)
            torch.nn.functional.binary_cross_entropy_with_logits(logits, targets).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        loss = float(torch.nn.functional.binary_cross_entropy(scores_of(model, features[inner]), truth[inner]))
        since += 1
        if loss < best:
            best, scores, since = loss, scores_of(model, heldout).numpy(), 0
    return scores_of(model, heldout).numpy() if scores is None else scores


def main() -> None:
    """Train one fold after another, and further seeds, until time is up."""
    assignment = Assignment.from_command_line()
    torch.set_num_threads(CORES)
    folds, truth = list(assignment.folds()), torch.as_tensor(assignment.truth, dtype=torch.float32)
    total = np.zeros(truth.shape, dtype=np.float32)
    for seed in count():
        for done, (training, heldout) in enumerate(folds):
            if assignment.left <= 0:
                return
            torch.manual_seed(seed)
            end = assignment.left * (1 - 1 / (len(folds) - done))
            learnt, asked = prepared(assignment, training, heldout)
            model = network(learnt, truth.shape[1], assignment.words)
            total[heldout] += trained(model, learnt, truth[training], asked, assignment, end)
            assignment.scores[heldout] = total[heldout] / (seed + 1)
            assignment.write()


if __name__ == "__main__":
    main()
