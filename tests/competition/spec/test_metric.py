"""What a metric is called, what it judges, and which entries contradict each other."""

import pytest
from pydantic import ValidationError

from competition.spec.metric import AVERAGES, DECISIONS, Metric


@pytest.mark.parametrize(
    ("given", "title", "judges", "sign"),
    [
        ({}, "F1", "decisions", 1),
        ({"beta": 2}, "F2", "decisions", 1),
        ({"average": "macro"}, "macro F1", "decisions", 1),
        ({"average": "macro", "weights": {"any": 2}}, "weighted macro F1", "decisions", 1),
        ({"name": "accuracy"}, "accuracy", "decisions", 1),
        ({"name": "exact_match"}, "exact match", "decisions", 1),
        ({"name": "roc_auc"}, "ROC AUC", "scores", 1),
        ({"name": "average_precision"}, "macro AP", "scores", 1),
        ({"name": "average_precision", "average": "samples"}, "samples AP", "scores", 1),
        ({"name": "label_ranking"}, "LRAP", "scores", 1),
        ({"name": "label_ranking", "average": "micro"}, "lwlrap", "scores", 1),
        ({"name": "log_loss"}, "log loss", "scores", -1),
        ({"name": "log_loss", "weights": {"any": 2}}, "weighted log loss", "scores", -1),
    ],
)
def test_a_metric_says_its_title_what_it_judges_and_which_way_is_better(
    given: dict[str, object], title: str, judges: str, sign: int
) -> None:
    metric = Metric.model_validate(given)
    assert (metric.title, metric.judges, metric.sign) == (title, judges, sign)


@pytest.mark.parametrize("name", AVERAGES)
def test_a_metric_has_its_usual_average_and_is_read_back_from_what_it_says(name: str) -> None:
    metric = Metric.model_validate({"name": name})
    assert metric.average == AVERAGES[name][0]
    assert Metric.model_validate_json(metric.model_dump_json()) == metric


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "roc_auc", "average": "micro"}, "roc_auc has no average 'micro'; known: macro"),
        ({"name": "log_loss", "beta": 2}, "log_loss knows no beta"),
        ({"name": "accuracy", "empty": 1}, "accuracy knows no empty"),
        ({"clip": 0.1}, "f_beta knows no clip"),
        ({"beta": 2, "weights": {"any": 2}}, "weights of labels need a mean over labels, and f_beta is a samples mean"),
        ({"name": "roc_auc", "weights": {"any": -1}}, "weights must be 0 or more"),
        ({"name": "roc_auc", "weights": {"any": 0}}, "one weight at least must be more than 0"),
        ({"name": "auc"}, "Input should be 'f_beta'"),
    ],
)
def test_what_a_metric_does_not_know_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Metric.model_validate(given)


def test_the_prior_cut_is_that_of_a_calibrated_score() -> None:
    assert Metric(beta=2).prior_cut == pytest.approx(0.2)
    assert Metric(name="accuracy").prior_cut == 0.5
    assert Metric(name="exact_match").judges == DECISIONS


def test_labels_that_are_not_weighed_weigh_one() -> None:
    metric = Metric(name="log_loss", weights={"any": 2.0})
    assert metric.of_labels(("epidural", "any")).weights == {"epidural": 1.0, "any": 2.0}
    assert Metric(name="log_loss").of_labels(("epidural", "any")).weights == {}
