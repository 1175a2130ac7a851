"""Measuring as tasks of a cluster finds what threads find."""

from __future__ import annotations

import numpy as np

from submissions.choose import measuring
from submissions.choose.compare import compare
from submissions.choose.measuring import on_ray
from tests.benchmarks.bench_compare import candidates_of
from tests.cluster_in_process import InProcess, in_process
from tests.submissions.samples import planet


def test_tasks_find_what_threads_find_bit_by_bit(monkeypatch) -> None:
    random = np.random.default_rng(3)
    truth = random.random((90, 17)) < 0.3
    scores = np.clip(0.3 * truth + random.random((2, 90, 17)) * 0.7, 0, 1).astype(np.float32)
    source = candidates_of(scores, truth, planet(), k=3)
    methods, rules = ["mean", "vote", "ridge"], ["fixed", "uniform", "expected"]
    here = compare(source, methods, rules)
    with in_process(monkeypatch, measuring, ray := InProcess()):
        there = compare(source, methods, rules, run=on_ray("auto", None))
    assert len(ray.asked) == 2 + len(methods)
    assert here.as_dict() == there.as_dict()
    for one, other in zip(here.candidates, there.candidates, strict=True):
        assert one.members == other.members
        assert np.array_equal(one.evaluation.answers, other.evaluation.answers)
        assert np.array_equal(one.combined.scores, other.combined.scores)
