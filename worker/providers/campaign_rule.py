"""The campaign of an event: the vendor's own, which its parser reads, or what the operator names.

`campaign_from` of a source is a rule (worker.providers.event_rule), or `none`. An event without what the rule names
keeps the vendor's own campaign.
"""

import msgspec

from schemas.campaign import campaign_name
from schemas.feedback_event import FeedbackEvent
from worker.providers.event_rule import check_rule, text_by_rule
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT

NO_CAMPAIGNS = "none"


def check_campaign_rule(rule: str) -> list[str]:
    """What is wrong with `campaign_from`, with its remedy; [] when nothing."""
    return check_rule("campaign_from", rule, (NO_CAMPAIGNS,))


def with_campaign(event: FeedbackEvent, rule: str) -> FeedbackEvent:
    """The event under the campaign that the rule finds in it; unchanged if the rule finds none."""
    if rule == NO_CAMPAIGNS:
        return event if event.campaign is None else msgspec.structs.replace(event, campaign=None)
    told = text_by_rule(event, rule, {}, limit=DIAGNOSTIC_LIMIT)
    campaign = None if told is None else campaign_name(told)
    return event if campaign is None else msgspec.structs.replace(event, campaign=campaign)
