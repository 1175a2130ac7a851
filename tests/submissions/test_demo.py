"""What the demonstration says of what it made."""

from pathlib import Path

from submissions.demo import demo_text
from tests.submissions.samples import NUM_TEST, draw_truth, ids_to_predict, planet, write_table


def test_the_submission_is_scored_as_kaggle_would_and_real_data_come_next(written: Path, tmp_path: Path) -> None:
    blend, submission = written / "blends" / "first", written / "submissions" / "first.csv"
    decided = submission.read_text()
    (tmp_path / "simulated_test_labels.csv").write_text(decided)  # who decides what is true
    text = demo_text(blend, submission, tmp_path)
    assert "mean, " in text
    assert "a alone, " in text
    assert "the submission reaches F2 1.0000." in text
    write_table(tmp_path / "simulated_test_labels.csv", ids_to_predict(), draw_truth(planet(), NUM_TEST, 9), planet())
    assert "reaches F2 0." in demo_text(blend, submission, tmp_path)
    assert text.splitlines()[-4:] == [
        "  python run.py data download",
        "  python run.py folds",
        "  python run.py train --models mobilenet_v2",
        "  python run.py blend --members mobilenet_v2 --name first --any-of-group",
    ]
