"""What is shown of a search."""

from __future__ import annotations

import json

from models.tune.figures import Figure, Figures
from models.tune.inner import Trial
from models.tune.report import SHOWN, Tuned

START = {"dropout": 0.5, "dense": (256,), "ema": 0.0}


def trials(number: int) -> list[Trial]:
    """Return trials, the first of the start, each later one better by .01."""
    made = [Trial(START, (0.5, 0.7), {}, 20, 1.0)]
    made += [
        Trial({**START, "dropout": n / 100, "dense": ()}, (0.5 - n / 100, 0.7), {}, 20, 1.0) for n in range(1, number)
    ]
    return [*made, Trial(START | {"dropout": 0.9}, (), {}, 1, 0.1, "diverged")]


def test_the_table_has_the_best_trials_and_the_start_by_the_settings_that_differ() -> None:
    figures = Figures("F2", 1, Figure(0.9), Figure(0.92, 0.02, 0.001), Figure(0.915, 0.015, 0.001))
    said = Tuned("a", "a-tuned", START, trials(15), {"dropout": 0.9, "ema": 0.001}, figures).text()
    lines = said.splitlines()
    assert lines[0].split()[:4] == ["dropout", "dense", "loss", "less"]
    rows = lines[2 : 2 + SHOWN + 1]
    assert rows[0].split()[:5] == ["0.14", "none", "0.5300", "±", "0.1700"]
    assert "-0.0700 ± 0.0700" in rows[0]
    assert "256" in rows[-1]
    assert "the start" in rows[-1]
    assert "16 trials, 1 diverged." in said
    assert "dropout 90%." in said
    assert "'a' as it is 0.9000; 'a-tuned' 0.9200, +0.0200 ± 0.0010." in said
    assert "by the chips of the others give 0.9150, +0.0150 ± 0.0010; choosing flatters by +0.0050." in said


def test_where_nothing_is_better_that_is_said() -> None:
    tuned = Tuned("a", "a-tuned", START, trials(1))
    assert not tuned.is_better
    assert tuned.text().endswith("Nothing is better than 'a' as it is: no model is made.")
    assert tuned.as_dict()["model"] is None


def test_json_holds_every_trial() -> None:
    content = json.loads(json.dumps(Tuned("a", "a-tuned", START, trials(4)).as_dict(), allow_nan=False))
    assert content["model"] == "a-tuned"
    assert content["winner"] == {"dropout": 0.03, "dense": "none", "ema": 0.0}
    assert [trial["loss"] for trial in content["trials"]][-1] is None
