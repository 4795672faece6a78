"""Campaigns: the one spelling of their ids, and what may be known of a message to one recipient."""

from collections.abc import Mapping
from enum import StrEnum

from schemas.feedback_event import FeedbackEvent
from schemas.text_limit import cut_text
from schemas.vocabulary import Cause, Kind

MOST_CAMPAIGN_CHARACTERS = 200
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"  # what readers of payloads put for NUL


class CampaignValue(StrEnum):
    """The stored ones stand in the order of their columns. A word never changes its meaning."""

    SENT = "sent"  # anything was reported of the message
    DELIVERED = "delivered"
    OPENED = "opened"  # by a person, as far as the ESP can tell
    CLICKED = "clicked"
    SOFT_BOUNCED = "soft_bounced"
    HARD_BOUNCED = "hard_bounced"
    ERROR = "error"  # refused because of the sender, or never tried
    COMPLAINT = "complaint"
    UNSUBSCRIBED = "unsubscribed"


_VALUES: Mapping[Kind, CampaignValue] = {
    Kind.ACCEPTED: CampaignValue.SENT,
    Kind.DEFERRED: CampaignValue.SENT,
    Kind.DELIVERED: CampaignValue.DELIVERED,
    Kind.OPENED: CampaignValue.OPENED,
    Kind.CLICKED: CampaignValue.CLICKED,
    Kind.SOFT_BOUNCE: CampaignValue.SOFT_BOUNCED,
    Kind.HARD_BOUNCE: CampaignValue.HARD_BOUNCED,
    Kind.BLOCKED: CampaignValue.ERROR,
    Kind.DROPPED: CampaignValue.ERROR,
    Kind.COMPLAINT: CampaignValue.COMPLAINT,
    Kind.UNSUBSCRIBE: CampaignValue.UNSUBSCRIBED,
    Kind.DECLINES_COMMERCIAL: CampaignValue.UNSUBSCRIBED,
    Kind.FORBIDS_CONTACT: CampaignValue.UNSUBSCRIBED,
}


def value_of_event(event: FeedbackEvent) -> CampaignValue | None:
    """What the event tells of its campaign's recipient; None if nothing.

    A machine that opens or follows links tells that there is a message, and nothing of the person.
    """
    if event.cause is Cause.TEST:
        return None
    value = _VALUES.get(event.kind)
    if event.machine and value in {CampaignValue.OPENED, CampaignValue.CLICKED}:
        return CampaignValue.SENT
    return value


def campaign_name(told: str) -> str | None:
    """An id of a campaign in its one spelling, which is stored and asked for; None if nothing of it is left.

    Without what cannot be printed and without blanks around it, and cut to 200 characters. It is its own spelling.
    """
    name = told
    if not name.isprintable() or _UNREADABLE in name:
        name = "".join(char for char in name if char.isprintable() and char != _UNREADABLE)
    return cut_text(name.strip(), MOST_CAMPAIGN_CHARACTERS) or None
