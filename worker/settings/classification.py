"""The tables `[classification.rules.NAME]`: the operator's own verdicts on replies."""

from collections.abc import Mapping
from typing import Any, TypeVar

from schemas.vocabulary import Cause
from worker.process.spelling import did_you_mean
from worker.providers.classification.operator_rules import OperatorRule
from worker.providers.classification.reply import Stage
from worker.providers.classification.reply_words import read_words
from worker.providers.classification.subject import Subject

_MOST_RULES = 200
_FIELDS = ("words", "text", "stage", "subject", "status", "cause")
_Word = TypeVar("_Word", Cause, Stage, Subject)


def read_operator_rules(table: Any, mistakes: list[str]) -> tuple[OperatorRule, ...]:
    """The rules of the table `[classification]`. Adds their mistakes to `mistakes`."""
    if not isinstance(table, Mapping):
        mistakes.append("classification must be a table: write `[classification.rules.NAME]`, then its fields below it")
        return ()
    mistakes += [
        f"classification.{name} is unknown: write `[classification.rules.NAME]`" for name in table if name != "rules"
    ]
    rules = table.get("rules", {})
    if not isinstance(rules, Mapping) or not all(isinstance(rule, Mapping) for rule in rules.values()):
        mistakes.append("classification.rules must hold tables: write `[classification.rules.NAME]`")
        return ()
    if len(rules) > _MOST_RULES:
        mistakes.append(f"classification.rules has {len(rules)} rules; {_MOST_RULES} at most are allowed")
        return ()
    read = [_read_rule(name, rule, mistakes) for name, rule in rules.items()]
    return tuple(rule for rule in read if rule is not None)


def _read_rule(name: str, table: Mapping[str, Any], mistakes: list[str]) -> OperatorRule | None:
    where, count = f"classification.rules.{name}", len(mistakes)
    mistakes += [
        f"{where}.{field} is unknown: {did_you_mean(field, _FIELDS)}" for field in table if field not in _FIELDS
    ]
    words = _texts(f"{where}.words", table.get("words", ()), mistakes)
    text = _texts(f"{where}.text", table.get("text", ()), mistakes)
    if not words and not text and len(mistakes) == count:
        mistakes.append(f"{where} has neither words nor text: add one of them")
    parts = tuple(_parts(f"{where}.words", phrase, mistakes) for phrase in words)
    cause = _one_of(f"{where}.cause", table.get("cause"), Cause, mistakes)
    if cause is None and "cause" not in table:
        mistakes.append(f"{where}.cause is missing: use one of {', '.join(Cause)}")
    stage = _one_of(f"{where}.stage", table.get("stage"), Stage, mistakes)
    subject = _one_of(f"{where}.subject", table.get("subject"), Subject, mistakes)
    status = table.get("status")
    if status is not None and not isinstance(status, str):
        mistakes.append(f'{where}.status must be a text: write status = "5.7.1"')
    if len(mistakes) > count or cause is None:
        return None
    return OperatorRule(
        name=name,
        cause=cause,
        words=parts,
        text=tuple(one.lower() for one in text),
        stage=stage,
        status=status,
        subject=subject,
    )


def _texts(where: str, value: Any, mistakes: list[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        mistakes.append(f'{where} must be a list of texts: write {where.rpartition(".")[2]} = ["…"]')
        return ()
    if not all(one.strip() for one in value):
        mistakes.append(f"{where} holds an empty text, which would match every reply: remove it")
        return ()
    return tuple(value)


def _parts(where: str, phrase: str, mistakes: list[str]) -> tuple[str, ...]:
    parts = []
    for part in phrase.lower().split("*"):
        read = read_words(part)
        if words := read.statement or read.advice:
            parts.append(words)
    if not parts:
        mistakes.append(f"{where}: {phrase!r} has no word in it; to match numbers and signs, use text instead")
    return tuple(parts)


def _one_of(where: str, value: Any, words: type[_Word], mistakes: list[str]) -> _Word | None:
    if value is None:
        return None
    try:
        return words(value)
    except ValueError:
        mistakes.append(f"{where} = {value!r} is unknown: {did_you_mean(str(value), list(words))}")
        return None
