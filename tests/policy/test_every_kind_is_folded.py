"""A kind that the fold does not name fails the type checks."""

import ast
import inspect
from enum import StrEnum

import pytest

from schemas.decision import DecisionKind
from schemas.vocabulary import Kind
from worker.policy import fold


@pytest.mark.parametrize("kinds", [Kind, DecisionKind])
def test_the_fold_names_each_kind_and_lets_mypy_refuse_any_other(kinds: type[StrEnum]) -> None:
    matches = [node for node in ast.walk(ast.parse(inspect.getsource(fold))) if isinstance(node, ast.Match)]
    cases = {
        ast.unparse(case.pattern).replace(" ", ""): [ast.unparse(statement) for statement in case.body]
        for match in matches
        for case in match.cases
        if f"{kinds.__name__}." in ast.unparse(match) and ast.unparse(match.cases[0].pattern).startswith(kinds.__name__)
    }
    # Without an arm for the rest, or with one that does anything else, mypy would say nothing of a new kind.
    assert [body[0].startswith("assert_never(") for body in (cases.pop("_"),)] == [True]
    assert {name for pattern in cases for name in pattern.split("|")} == {
        f"{kinds.__name__}.{kind.name}" for kind in kinds
    }
