"""What became of one message of a campaign to one recipient: what was reported of it, and the one word for all of it.

Every moment is the earliest of its sort, so that the result is the same in whatever order events come in and however
often. It forbids nothing and lifts nothing: a contact's status comes from the log alone.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from schemas.campaign import CampaignValue
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind

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

# The first one that is known is the word for a recipient. An open or a click proves that a bounce was none.
_GRAVEST_FIRST = (
    CampaignValue.COMPLAINT,
    CampaignValue.UNSUBSCRIBED,
    CampaignValue.CLICKED,
    CampaignValue.OPENED,
    CampaignValue.HARD_BOUNCED,
)
# Of these the latest one, and of one instant the last.
_LATEST = (CampaignValue.DELIVERED, CampaignValue.ERROR, CampaignValue.SOFT_BOUNCED)


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


def recipients_value(moment_of: Callable[[CampaignValue], datetime | None]) -> CampaignValue:
    """The one word for a recipient: the gravest or the most advanced of what is known.

    A bounce and a delivery may both be known, since a message is tried several times, or bounces after the server had
    taken it: then the latest decides, save that a hard bounce stays one.
    """
    for value in _GRAVEST_FIRST:
        if moment_of(value) is not None:
            return value
    latest, at = CampaignValue.SENT, None
    for value in _LATEST:
        moment = moment_of(value)
        if moment is not None and (at is None or moment >= at):
            latest, at = value, moment
    return latest
