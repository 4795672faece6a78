"""Whose event it was, where one ESP account sends for many customers: told by the event itself.

`account_from` of a source is a rule (worker.providers.event_rule), or `subaccount` or `sending_domain`, where the
provider knows that the vendor tells them. An event that does not tell keeps the account of its source.
"""

from collections.abc import Mapping

import msgspec

from schemas.feedback_event import FeedbackEvent
from worker.providers.event_rule import check_rule, text_by_rule

MAX_ACCOUNT_CHARACTERS = 200

SENDING_DOMAIN = "sending_domain"


def check_account_rule(rule: str, account_paths: Mapping[str, str]) -> list[str]:
    """What is wrong with `account_from`, with its remedy; [] when nothing."""
    return check_rule("account_from", rule, account_paths)


def with_own_account(event: FeedbackEvent, rule: str, account_paths: Mapping[str, str]) -> FeedbackEvent:
    """The event under the account that it names itself; unchanged when it names none."""
    account = told_account(event, rule, account_paths)
    return event if account is None else msgspec.structs.replace(event, account=account)


def told_account(event: FeedbackEvent, rule: str, account_paths: Mapping[str, str]) -> str | None:
    """The account that the event names; None if it names none."""
    account = text_by_rule(event, rule, account_paths, limit=MAX_ACCOUNT_CHARACTERS)
    if account is not None and rule == SENDING_DOMAIN:
        account = account.rpartition("@")[2].strip("<> ").lower() or None
    return account
