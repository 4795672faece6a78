"""Finds the campaign of an event: the vendor's own, which its parser reads, or the one that the operator's rule finds.

`campaign_from` of a source is a rule (worker.providers.event_rule), or `none`. If the rule finds nothing, the event
keeps the vendor's own campaign.
"""

import msgspec

from schemas.campaign import campaign_name
from schemas.feedback_event import FeedbackEvent
from worker.providers.event_rule import check_rule, text_by_rule
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT

NO_CAMPAIGNS = "none"


def check_campaign_rule(rule: str) -> list[str]:
    """The mistakes in `campaign_from`, each with its remedy."""
    return check_rule("campaign_from", rule, (NO_CAMPAIGNS,))


def with_campaign(event: FeedbackEvent, rule: str) -> FeedbackEvent:
    """The event under the campaign that the rule finds in it; unchanged if the rule finds none."""
    if rule == NO_CAMPAIGNS:
        return event if event.campaign is None else msgspec.structs.replace(event, campaign=None)
    text = text_by_rule(event, rule, {}, limit=DIAGNOSTIC_LIMIT)
    campaign = None if text is None else campaign_name(text)
    return event if campaign is None else msgspec.structs.replace(event, campaign=campaign)
