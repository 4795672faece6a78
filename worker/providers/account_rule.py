"""Finds the account of an event if one ESP account sends for many customers and the event names them.

`account_from` of a source is a rule (worker.providers.event_rule), or `subaccount` or `sending_domain` if the vendor
reports these. An event that names no account keeps that of its source.
"""

from collections.abc import Mapping

import msgspec

from schemas.feedback_event import FeedbackEvent
from worker.providers.event_rule import check_rule, text_by_rule

MAX_ACCOUNT_CHARACTERS = 200

SENDING_DOMAIN = "sending_domain"


def check_account_rule(rule: str, account_paths: Mapping[str, str]) -> list[str]:
    """The mistakes in `account_from`, each with its remedy."""
    return check_rule("account_from", rule, account_paths)


def with_own_account(event: FeedbackEvent, rule: str, account_paths: Mapping[str, str]) -> FeedbackEvent:
    """The event with the account that it names; unchanged if it names none."""
    account = named_account(event, rule, account_paths)
    return event if account is None else msgspec.structs.replace(event, account=account)


def named_account(event: FeedbackEvent, rule: str, account_paths: Mapping[str, str]) -> str | None:
    """The account that the event names; None if it names none."""
    account = text_by_rule(event, rule, account_paths, limit=MAX_ACCOUNT_CHARACTERS)
    if account is not None and rule == SENDING_DOMAIN:
        account = account.rpartition("@")[2].strip("<> ").lower() or None
    return account
