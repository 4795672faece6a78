"""Whose event it was, where one ESP account sends for many customers: told by the event itself.

`account_from` of a source is one of

- `metadata.KEY`: the sender's own variable of that name;
- `tag.PREFIX`: the tag that begins so, without the prefix ("tag.customer-" makes "customer-7" the account "7");
- `subaccount`, `sending_domain`: where the provider knows that the vendor tells them;
- `raw.EXPRESSION`: a JMESPath expression over the event as the vendor wrote it (https://jmespath.org).

An event that does not tell keeps the account of its source.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.feedback_event import FeedbackEvent
from worker.errors import UnreadablePayload
from worker.providers.payload.form_payload import decode_form
from worker.providers.payload.json_path import compile_path
from worker.providers.payload.json_payload import fit_text

MAX_ACCOUNT_CHARACTERS = 200

_METADATA, _TAG, _RAW = "metadata.", "tag.", "raw."
SENDING_DOMAIN = "sending_domain"

_decode = msgspec.json.Decoder().decode


def check_account_rule(rule: str, account_paths: Mapping[str, str]) -> list[str]:
    """What is wrong with `account_from`, with its remedy; [] when nothing."""
    if not rule or rule in account_paths:
        return []
    for prefix in (_METADATA, _TAG):
        if rule.startswith(prefix) and rule != prefix:
            return []
    if rule.startswith(_RAW):
        try:
            compile_path(rule.removeprefix(_RAW))
        except ValueError as error:
            return [f"account_from: after raw. {error}; see https://jmespath.org"]
        return []
    offered = ", ".join([*sorted(account_paths), "metadata.KEY", "tag.PREFIX", "raw.EXPRESSION"])
    return [f"account_from = {rule!r} is not known here: use one of {offered}"]


def with_own_account(event: FeedbackEvent, rule: str, account_paths: Mapping[str, str]) -> FeedbackEvent:
    """The event under the account that it names itself; unchanged when it names none."""
    account = _told_account(event, rule, account_paths)
    return event if account is None else msgspec.structs.replace(event, account=account)


def _told_account(event: FeedbackEvent, rule: str, account_paths: Mapping[str, str]) -> str | None:
    if rule.startswith(_METADATA):
        return _as_account((event.metadata or {}).get(rule.removeprefix(_METADATA)))
    if rule.startswith(_TAG):
        prefix = rule.removeprefix(_TAG)
        return _as_account(next((tag.removeprefix(prefix) for tag in event.tags if tag.startswith(prefix)), None))
    expression = account_paths.get(rule) or rule.removeprefix(_RAW)
    value = compile_path(expression).search(_document(event.raw))
    account = _as_account(value)
    if account is not None and rule == SENDING_DOMAIN:
        return _as_account(account.rpartition("@")[2].strip("<> ").lower())
    return account


def _as_account(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        return None
    return fit_text(value.strip(), MAX_ACCOUNT_CHARACTERS)


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
