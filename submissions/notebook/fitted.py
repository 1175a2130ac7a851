"""What was fitted, as plain values and arrays: written where scikit-learn and Optuna are, read where they are not.

The classes are those that `blend` has fitted; only what they hold is kept, in JSON and NPZ. Nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.spec.competition import Competition
from submissions.combine.means import Mean, RankMean, Union, WeightedMean
from submissions.combine.stack_columns import Columns
from submissions.combine.stacks import Boosting, Logistic, Ridge
from submissions.combine.vote import Vote
from submissions.decide import calibration
from submissions.decide.calibration import Calibration, Steps
from submissions.decide.cut_rules import CutRule
from submissions.decide.decisions import Obedient
from submissions.decide.expected_f_beta import ExpectedFBeta, Structure
from submissions.decide.score_rules import CalibratedRule, ScoreRule

Values = dict[str, Any]  # of JSON, but for arrays


class _Kind(NamedTuple):
    """How one class is kept.

    Attributes:
        of: the class; what inherits from it, and is not named itself, is kept as it.
        values: returns what an object of it holds.
        made: returns an object of what was held, given the competition.
    """

    of: type
    values: Callable[[Any], Values]
    made: Callable[[Values, Competition], Any]


def kept(fitted: Any) -> Values:
    """Return what a fitted combiner or rule holds: JSON's values, and arrays among them.

    Raises:
        TypeError: if it is of no class that is known.
    """
    for name, kind in KINDS.items():
        if isinstance(fitted, kind.of):
            return {"kind": name, **kind.values(fitted)}
    raise TypeError(f"{type(fitted).__name__} is not known")


def restored(values: Values, competition: Competition) -> Any:
    """Return the combiner or rule that `kept` has taken apart; it predicts as that did.

    Args:
        values: of `kept`.
        competition: gives the exclusive groups and the labels that stand alone.

    Raises:
        KeyError: if something is missing in them.
    """
    return KINDS[values["kind"]].made(values, competition)


def apart(values: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Return values with the name of each array in its place, and put the arrays under these names."""
    if isinstance(values, np.ndarray):
        name = f"array{len(arrays)}"
        arrays[name] = values
        return {"array": name}
    if isinstance(values, dict):
        return {key: apart(value, arrays) for key, value in values.items()}
    return [apart(value, arrays) for value in values] if isinstance(values, list | tuple) else values


def together(values: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Return values with each array in the place of its name: what `apart` was given."""
    if isinstance(values, dict):
        if values.keys() == {"array"}:
            return arrays[values["array"]]
        return {key: together(value, arrays) for key, value in values.items()}
    return [together(value, arrays) for value in values] if isinstance(values, list) else values


def _attributes(*names: str) -> Callable[[Any], Values]:
    return lambda fitted: {name: getattr(fitted, name) for name in names}


def _with(made: Any, values: Values, *names: str) -> Any:
    """Return an object with some of the values as its attributes."""
    for name in names:
        setattr(made, name, values[name])
    return made


def _weighted(values: Values, _: Competition) -> WeightedMean:
    return _with(WeightedMean(), values, "weights")


def _union(values: Values, competition: Competition) -> Union:
    return Union(restored(values["combiner"], competition), values["union"])


def _vote(values: Values, _: Competition) -> Vote:
    def no_rule(scored: NDArray[np.bool_]) -> Any:
        raise NotImplementedError("Cuts were found already.")

    return _with(Vote(no_rule, values["union"]), values, "cuts")


def _columns(columns: Columns) -> Values:
    values: Values = {"extras": list(columns.extras), "groups": columns.groups}
    if "neighbours" in columns.extras:
        values |= {"truth": columns.truth, "fitted": columns.fitted}
    return values


def _columns_of(values: Values) -> Columns:
    columns = Columns(values["extras"], values["groups"])
    if "neighbours" in columns.extras:
        columns.remember(values["fitted"], values["truth"])
    return columns


STACK = ("learnt",)
RIDGE = (*STACK, "center", "scale", "prior", "weights")
LOGISTIC = (*STACK, "weights", "biases")


def _stack(stack: Any, *names: str) -> Values:
    return {"columns": _columns(stack.columns), **_attributes(*names)(stack)}


def _boosting(stack: Boosting) -> Values:
    return {**_stack(stack, *STACK), "models": [model.model_to_string() for model in stack.models]}


def _boosting_of(values: Values, _: Competition) -> Boosting:
    import lightgbm

    made = _with(Boosting(_columns_of(values["columns"])), values, *STACK)
    made.models = [lightgbm.Booster(model_str=text) for text in values["models"]]
    return made


def _calibration(fitted: Calibration) -> Values:
    return {"kind": fitted.kind, "curves": {str(label): asdict(curve) for label, curve in fitted.curves.items()}}


def _calibration_of(values: Values) -> Calibration:
    made = Calibration(values["kind"])
    made.curves = {
        int(label): (Steps if "at" in curve else calibration.Logistic)(**curve)
        for label, curve in values["curves"].items()
    }
    return made


def _expected(rule: ExpectedFBeta) -> Values:
    structure = {"groups": [list(group) for group in rule.structure.groups], "alone": list(rule.structure.alone)}
    of = {"beta": rule.beta, "empty": rule.empty, "structure": structure}
    return {**of, "calibration": _calibration(rule.calibration)}


def _expected_of(values: Values, _: Competition) -> ExpectedFBeta:
    structure = Structure(tuple(map(tuple, values["structure"]["groups"])), tuple(values["structure"]["alone"]))
    made = ExpectedFBeta(values["beta"], structure, empty=values["empty"])
    made.calibration = _calibration_of(values["calibration"])
    return made


def _calibrated_of(values: Values, _: Competition) -> CalibratedRule:
    made = CalibratedRule(margin=values["margin"], as_shares=values["as_shares"])
    made.calibration = _calibration_of(values["calibration"])
    return made


KINDS: dict[str, _Kind] = {
    "mean": _Kind(Mean, _attributes("scale"), lambda values, _: Mean(values["scale"])),
    "weighted": _Kind(WeightedMean, _attributes("weights"), _weighted),
    "rank": _Kind(
        RankMean,
        _attributes("of_members", "of_ranks", "of_mean"),
        lambda values, _: _with(RankMean(), values, "of_members", "of_ranks", "of_mean"),
    ),
    "union": _Kind(Union, lambda union: {"combiner": kept(union.combiner), "union": np.asarray(union.union)}, _union),
    "vote": _Kind(Vote, lambda vote: {"cuts": vote.cuts, "union": np.asarray(vote.union)}, _vote),
    "ridge": _Kind(
        Ridge,
        lambda stack: _stack(stack, *RIDGE),
        lambda values, _: _with(Ridge(_columns_of(values["columns"])), values, *RIDGE),
    ),
    "logistic": _Kind(
        Logistic,
        lambda stack: {**_stack(stack, *LOGISTIC), "own": stack.own},
        lambda values, _: _with(Logistic(_columns_of(values["columns"]), own=values["own"]), values, *LOGISTIC),
    ),
    "boosting": _Kind(Boosting, _boosting, _boosting_of),
    "obedient": _Kind(
        Obedient,
        lambda rule: {"rule": kept(rule.rule), "exclusive": rule.exclusive, "alone": rule.alone},
        lambda values, competition: Obedient(
            restored(values["rule"], competition), competition, exclusive=values["exclusive"], alone=values["alone"]
        ),
    ),
    "cuts": _Kind(CutRule, _attributes("cuts"), lambda values, _: _with(CutRule(), values, "cuts")),
    "expected": _Kind(ExpectedFBeta, _expected, _expected_of),
    "calibrated": _Kind(
        CalibratedRule,
        lambda rule: {
            "margin": rule.margin,
            "as_shares": rule.as_shares,
            "calibration": _calibration(rule.calibration),
        },
        _calibrated_of,
    ),
    "scores": _Kind(
        ScoreRule,
        _attributes("margin", "as_shares"),
        lambda values, _: ScoreRule(values["margin"], as_shares=values["as_shares"]),
    ),
}
