from __future__ import annotations

from pathlib import Path

from submissions.share.artefacts import Choice, artefacts_in


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_only_finished_work_is_shared(tmp_path: Path) -> None:
    shared = {
        "folds": ["folds.json", "folds.csv"],
        "data/corrections": ["data/corrections.csv"],
        "shift": ["shift.json"],
        "pseudo/p": ["pseudo/p/fold0.npz", "pseudo/p/fold1.npz", "pseudo/p/pseudo.json"],
        "runs/m": ["runs/m/extractor.weights.h5", "runs/m/recipe.json"],
        "runs/m/cuts": ["runs/m/cuts.json"],
        "runs/m/fold0": [
            "runs/m/fold0/heldout.npz",
            "runs/m/fold0/learnt/events.out.tfevents.17.host.3",
            "runs/m/fold0/seed1/network.weights.h5",
            "runs/m/fold0/test.npz",
            "runs/m/fold0/scores.json",
        ],
        "blends/b": ["blends/b/oof.npz", "blends/b/test.npz", "blends/b/blend.json"],
        "submissions/s": ["submissions/s.csv", "submissions/s.json"],
    }
    for names in shared.values():
        write(tmp_path, *names)
    bank = ["cache/features/net-1/bank.json", "cache/features/net-1/mirror.npy", "cache/features/net-1/done.json"]
    write(
        tmp_path,
        *bank,
        *("optuna.db", "ledger.db", "token", ".env", "data/layout.json", "data/train_v2.csv", "data/train-jpg/a.jpg"),
        *("cache/train/chips.npy", "runs/m/.fold0.lock", "runs/m/fold0/.x.test.npz", "runs/m/fold0/parts/0.npz"),
        *("runs/m/fold0/checkpoints/epoch1/state.json", "runs/m/fold1/history.json", "blends/half/oof.npz"),
        *("pseudo/half/fold0.npz", "pseudo/p/notes.txt", "pseudo/.p.lock"),
        *("mlruns/1/meta.yaml", "restarted/m/fold0/scores.json", "downloads/train.zip", "report.html"),
    )
    (tmp_path / "runs/m/fold0/linked.json").symlink_to(tmp_path / "token")
    found = Choice().of(artefacts_in(tmp_path))
    assert {a.key: [a.path(name) for name in a.files(tmp_path)] for a in found} == shared
    with_banks = Choice(("banks",)).of(artefacts_in(tmp_path))
    assert [[a.path(name) for name in a.files(tmp_path)] for a in with_banks] == [bank]
