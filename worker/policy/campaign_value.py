"""What became of one message of a campaign to one recipient: the one word for all that was reported of it.

Every moment is the earliest of its sort, so that the result is the same in whatever order events come in and however
often. It forbids nothing and lifts nothing: a contact's status comes from the log alone.
"""

from collections.abc import Callable
from datetime import datetime

from schemas.campaign import CampaignValue

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
