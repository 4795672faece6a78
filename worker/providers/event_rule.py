"""Rules by which an operator names a place in events, such as that of the account or the campaign.

A rule is one of

- `metadata.KEY`: the sender's own variable of that name;
- `tag.PREFIX`: the tag with this prefix, without the prefix ("tag.customer-" turns "customer-7" into "7");
- `raw.EXPRESSION`: a JMESPath expression over the event as the vendor wrote it (https://jmespath.org);
- a word that stands for such an expression, if the caller has one.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from schemas.feedback_event import FeedbackEvent
from worker.errors import UnreadablePayload
from worker.providers.payload.form_payload import decode_form
from worker.providers.payload.json_path import compile_path
from worker.providers.payload.json_payload import fit_text

_METADATA, _TAG, _RAW = "metadata.", "tag.", "raw."

_decode = msgspec.json.Decoder().decode


def check_rule(field: str, rule: str, words: Collection[str]) -> list[str]:
    """The mistakes in the rule in this field of a source, each with its remedy.

    `words` are other words that the field may have.
    """
    if not rule or rule in words:
        return []
    for prefix in (_METADATA, _TAG):
        if rule.startswith(prefix) and rule != prefix:
            return []
    if rule.startswith(_RAW):
        try:
            compile_path(rule.removeprefix(_RAW))
        except ValueError as error:
            return [f"{field}: after raw. {error}; see https://jmespath.org"]
        return []
    offered = ", ".join([*sorted(words), "metadata.KEY", "tag.PREFIX", "raw.EXPRESSION"])
    return [f"{field} = {rule!r} is not known here: use one of {offered}"]


def text_by_rule(event: FeedbackEvent, rule: str, paths: Mapping[str, str], *, limit: int) -> str | None:
    """The event's text at the place of the rule, a number as its digits, cut to `limit` characters; None without one.

    `paths` maps words to the expressions that they stand for.
    """
    if rule.startswith(_METADATA):
        return _as_text((event.metadata or {}).get(rule.removeprefix(_METADATA)), limit)
    if rule.startswith(_TAG):
        prefix = rule.removeprefix(_TAG)
        return _as_text(next((tag.removeprefix(prefix) for tag in event.tags if tag.startswith(prefix)), None), limit)
    expression = paths.get(rule) or rule.removeprefix(_RAW)
    return _as_text(compile_path(expression).search(_document(event.raw)), limit)


def _as_text(value: Any, limit: int) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        return None
    return fit_text(value.strip(), limit)


def _document(raw: bytes) -> Any:
    """The event as JSON, or the fields of a form as an object of texts, read as providers read them."""
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        return decode_form(raw, "event")
    except UnreadablePayload:
        return {}
