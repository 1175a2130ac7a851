from __future__ import annotations

import pytest

from competition.common.errors import UserError
from competition.init.forms import Form, Wishes, of_columns, of_rows, of_tags
from competition.init.sample import Asked, asked_ids, guess_metric, metric_of, read_sample, without_sample
from competition.survey.grids import Grid
from competition.survey.ids import Names

NOBODY = Names([])


def grid(header: str, *rows: str) -> Grid:
    return Grid("t.csv", tuple(header.split(",")), [row.split(",") for row in rows])


COLUMNS = of_columns(grid("id,a,b", "x,1,0", "y,0,1"), "id", ["a", "b"])
TAGS = of_tags(grid("id,Target", "x,a b", "y,a", "z,b"), "id", "Target", None, Wishes())


def test_scores_are_told_from_decisions_by_their_decimals() -> None:
    asked = read_sample(grid("id,b,a", "t,0.3333,0.5", "u,0.1,0"), "id", COLUMNS, NOBODY)
    assert (asked.kind, asked.entries, asked.labels) == ("scores", {"decimals": 4}, ["b", "a"])
    asked = read_sample(grid("id,a,b", "t,0.5,0.5"), "id", COLUMNS, NOBODY)
    assert (asked.kind, asked.entries) == ("scores", {})
    assert "too few" in asked.remarks["kind"]
    asked = read_sample(grid("id,a,b", "t,0,0"), "id", COLUMNS, NOBODY)
    assert asked.kind == "columns"
    assert "--metric decides" in asked.questions[0]


def test_the_tags_may_have_another_column_and_another_id() -> None:
    asked = read_sample(grid("Id,Predicted", "t,a", "u,b a"), "id", TAGS, NOBODY)
    assert (asked.kind, asked.entries) == ("tags", {"tags_column": "Predicted", "id_column": "Id"})
    assert asked.questions == []
    assert "'c'" in read_sample(grid("id,Predicted", "t,c"), "id", TAGS, NOBODY).questions[0]


@pytest.mark.parametrize("form", [COLUMNS, TAGS])
def test_rows_of_chip_and_label_are_known_though_the_chips_are_not_there(form: Form) -> None:
    asked = read_sample(grid("id,p", "t_1_b,0.5", "t_1_a,0.5", "t_2_b,0.5", "t_2_a,0.5"), "id", form, NOBODY)
    assert (asked.kind, asked.labels) == ("rows", ["b", "a"])
    assert asked.entries == {"row_id": "{id}_{label}", "value_column": "p"}


def test_the_chips_asked_for_are_those_of_the_rows_that_name_a_label() -> None:
    sample = grid("id,p", *(f"t_{chip}_{label},0.5" for chip in "12" for label in ("b", "not_b")), "t_3,0.5")
    asked = Asked("rows", {"row_id": "{id}_{label}", "value_column": "p"}, ["not_b", "b"])
    assert asked_ids(sample, "id", asked, ["b"]) == {"t_1", "t_2"}
    asked = Asked("tags", {"id_column": "Id"})
    assert asked_ids(grid("Id,Predicted", "t,a", "u,b a"), "id", asked, ["a"]) == {"t", "u"}


def test_rows_with_a_column_for_the_label_are_known() -> None:
    form = of_rows(grid("id,l", "x,a", "x,b"), "id", "l", None)
    asked = read_sample(grid("id,l,p", "t,b,0.125", "t,a,0.125"), "id", form, NOBODY)
    assert asked.entries == {"label_column": "l", "value_column": "p", "decimals": 3}


def test_without_a_sample_the_metric_and_the_table_say_it() -> None:
    assert without_sample(TAGS, "decisions").kind == "tags"
    assert without_sample(TAGS, "scores").kind == "scores"
    assert without_sample(COLUMNS, "decisions").kind == "columns"


@pytest.mark.parametrize(
    ("text", "title"),
    [("f2", "F2"), ("F0.5", "F0.5"), ("macro f1", "macro F1"), ("roc_auc", "ROC AUC"), ("ROC AUC", "ROC AUC"),
     ("log-loss", "log loss"), ("micro average_precision", "micro AP"), ("lwlrap", "lwlrap"), ("lrap", "LRAP"),
     ("weighted log loss", "log loss"), ("macroF1", "macro F1"), ("F1-macro", "macro F1"), ("f1_score", "F1"),
     ("Accuracy", "accuracy"), ("micro-averageprecision", "micro AP")],
)  # fmt: skip
def test_metrics_are_named_as_people_name_them(text: str, title: str) -> None:
    assert metric_of(text).title == title


@pytest.mark.parametrize("text", ["dice", "macro exact_match", "f0", "", "weighted f1", "macro", "macro micro f1 f2"])
def test_other_metrics_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match="--metric") as caught:
        metric_of(text)
    assert "\n" not in str(caught.value)


def test_the_order_of_average_and_metric_is_told() -> None:
    with pytest.raises(UserError, match=r'average first, such as "macro f1"; averages: samples, macro, micro'):
        metric_of("mean dice")


def test_a_guess_fits_what_is_asked_for() -> None:
    assert guess_metric("scores", True, False).title == "ROC AUC"
    assert guess_metric("scores", True, True).title == "log loss"
    assert guess_metric("tags", False, True).title == "accuracy"
    assert guess_metric("tags", False, False).title == "F1"


def test_a_label_that_only_the_sample_has_is_a_label_and_said() -> None:
    asked = read_sample(grid("id,c,b,a", "t,0.5,0.5,0.5"), "id", TAGS, NOBODY)
    assert asked.labels == ["c", "b", "a"]
    assert "'c'" in asked.questions[0]


def test_a_multi_class_competition_of_scores_is_guessed_to_be_judged_by_the_log_loss_of_classes() -> None:
    guess = guess_metric("scores", shows_scores=True, is_multi_class=True)
    assert (guess.name, guess.average) == ("log_loss", "samples")
