"""Each preset does what its product has published: the numbers, met and just not met."""

from datetime import timedelta

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Kind, Status
from tests.policy.rules import day, delivered, hard, opened, soft
from tests.schemas.feedback_events import START, make_event
from worker.policy.dimension import Standing
from worker.policy.event_order import BOUNCE_KINDS, COUNTABLE_CAUSES
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.policy_file import load_policy, preset, recommended_policy
from worker.policy.presets import preset_about, preset_names
from worker.policy.rule import Action, Policy
from worker.policy.standing import standing

RECOMMENDED = recommended_policy()


def after(policy: Policy, *events: FeedbackEvent) -> Standing:
    """The standing right after the last of the events."""
    facts = fold_all(Facts(), events, policy)
    return standing(facts, policy, max(event.occurred_at for event in events))


def softs(count: int, *, every: float = 1, cause: Cause = Cause.SERVER_UNAVAILABLE) -> list[FeedbackEvent]:
    return [soft(number * every, cause=cause) for number in range(count)]


# How many soft bounces, a day apart, each product takes before it blocks or holds.
SOFT_LIMITS = {
    "mailchimp": 7,
    "klaviyo": 7,
    "activecampaign": 3,
    "brevo": 5,
    "campaignmonitor": 3,
    "getresponse": 4,
    "cleverreach": 3,
    "kizen": 2,
    "mailman2": 10,
    "mailman3": 5,
    "pypi": 6,
    "discourse": 4,
    "ladder": 1,
    "ubivox": 3,
    "phplist": 5,
    "openmoves": 20,
    "intilery": 3,
    "campus": 1,
    "kartra": 5,
    "keap": 5,
}
# Those that no number of soft bounces a day apart would block within a week, and why.
OTHERWISE = {"recommended", "odoo", "listmonk", "constantcontact", "provider", "engagingnetworks"}


def test_every_preset_is_distinguished_here() -> None:
    assert set(preset_names()) == set(SOFT_LIMITS) | OTHERWISE
    assert preset_names()[0] == "recommended"


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_says_what_it_does_in_a_sentence(name: str) -> None:
    assert preset_about(name).endswith(".")
    assert preset(name) is preset(name)
    assert preset(name).name == name


@pytest.mark.parametrize(("name", "limit"), SOFT_LIMITS.items())
def test_soft_bounces_block_at_the_published_number(name: str, limit: int) -> None:
    policy = preset(name)
    if limit > 1:
        assert after(policy, *softs(limit - 1)).blocks is Blocks.NONE
    assert after(policy, *softs(limit)).blocks is not Blocks.NONE


@pytest.mark.parametrize("name", ["klaviyo", "activecampaign", "brevo", "pypi", "ubivox", "phplist", "openmoves"])
def test_a_delivery_between_starts_the_row_anew(name: str) -> None:
    limit = SOFT_LIMITS[name]
    row = softs(limit - 1)
    assert after(preset(name), *row, delivered(limit - 0.5), soft(limit)).blocks is Blocks.NONE


@pytest.mark.parametrize("name", sorted(set(preset_names()) - {"odoo", "mailman2", "mailman3", "phplist", "discourse"}))
def test_an_unknown_user_is_blocked_at_the_first_hard_bounce(name: str) -> None:
    one = after(preset(name), hard(0))
    assert (one.status, one.blocks) == (Status.BLOCKLISTED, Blocks.ALL)


def test_mailchimp_takes_15_from_people_with_earlier_activity_however_long_ago() -> None:
    active = opened(-400)
    assert after(preset("mailchimp"), active, *softs(14)).blocks is Blocks.NONE
    assert after(preset("mailchimp"), active, *softs(15)).blocks is Blocks.ALL


def test_mailchimp_does_not_remove_the_recently_engaged_at_the_first_hard_bounce() -> None:
    assert after(preset("mailchimp"), opened(-5), hard(0)).blocks is Blocks.NONE
    assert after(preset("mailchimp"), opened(-5), hard(0), hard(1)).blocks is Blocks.ALL


def test_brevo_stops_only_marketing_for_soft_bounces() -> None:
    assert after(preset("brevo"), *softs(5)).blocks is Blocks.MARKETING


def test_campaignmonitor_starts_anew_at_an_open_but_not_at_a_delivery() -> None:
    policy = preset("campaignmonitor")
    assert after(policy, *softs(2), opened(1.5), soft(2)).blocks is Blocks.NONE
    assert after(policy, *softs(2), delivered(1.5), soft(2)).blocks is Blocks.ALL


def test_getresponse_forgets_after_32_days_and_takes_two_other_hard_bounces() -> None:
    policy = preset("getresponse")
    assert after(policy, *softs(4, every=11)).blocks is Blocks.NONE
    disabled = Cause.MAILBOX_DISABLED
    assert after(policy, hard(0, cause=disabled)).blocks is Blocks.NONE
    assert after(policy, hard(0, cause=disabled), hard(33, cause=disabled)).blocks is Blocks.NONE
    assert after(policy, hard(0, cause=disabled), hard(31, cause=disabled)).blocks is Blocks.ALL


def test_cleverreach_frees_after_a_month_or_a_year() -> None:
    policy = preset("cleverreach")
    assert after(policy, *softs(3)).until == day(2 + 30)
    assert after(policy, hard(0)).until == day(365)
    assert after(policy, *softs(3), soft(40), soft(41)).blocks is Blocks.NONE


def test_kizen_holds_14_days_and_again_at_one_more() -> None:
    policy = preset("kizen")
    assert after(policy, *softs(2)).until == day(1 + 14)
    assert after(policy, *softs(2), soft(20)).until == day(34)
    assert after(policy, hard(0)).until is None


def test_odoo_wants_five_within_13_weeks_and_more_than_a_week_between_first_and_last() -> None:
    policy = preset("odoo")
    assert after(policy, *softs(7)).blocks is Blocks.NONE
    assert after(policy, *softs(5, every=2)).blocks is Blocks.ALL
    assert after(policy, *softs(5, every=23)).blocks is Blocks.NONE
    assert after(policy, *[hard(number * 2) for number in range(5)]).blocks is Blocks.ALL


def test_mailman3_counts_once_a_day_and_forgets_after_seven() -> None:
    policy = preset("mailman3")
    assert after(policy, *softs(9, every=0.1)).blocks is Blocks.NONE
    assert after(policy, *softs(4), soft(10)).blocks is Blocks.NONE


def test_mailman2_weighs_hard_twice_soft() -> None:
    assert after(preset("mailman2"), *[hard(number) for number in range(4)]).blocks is Blocks.NONE
    assert after(preset("mailman2"), *[hard(number) for number in range(5)]).blocks is Blocks.ALL


@pytest.mark.parametrize("name", ["listmonk", "constantcontact"])
def test_soft_bounces_are_only_shown(name: str) -> None:
    one = after(preset(name), *softs(50))
    assert (one.status, one.blocks) == (Status.SOFT_BOUNCING, Blocks.NONE)


def test_a_provider_never_counts_soft_bounces() -> None:
    assert after(preset("provider"), *softs(50)).status is Status.NEW


def test_discourse_holds_at_a_score_of_4_for_30_days() -> None:
    policy = preset("discourse")
    assert after(policy, hard(0), soft(1)).blocks is Blocks.NONE
    assert after(policy, hard(0), hard(1)).until == day(31)
    assert after(policy, hard(0), soft(1), soft(32)).blocks is Blocks.NONE  # 30 quiet days in between


def test_the_ladder_rests_longer_each_time() -> None:
    policy = preset("ladder")
    bounces = [soft(0), soft(2), soft(10), soft(41)]
    untils = [after(policy, *bounces[: number + 1]).until for number in range(4)]
    assert untils == [day(1), day(9), day(40), None]
    assert after(policy, hard(0)).until == day(30)
    assert after(policy, hard(0), hard(31)).until is None


def test_constantcontact_gives_a_dead_mailbox_one_more_try_after_15_days() -> None:
    assert after(preset("constantcontact"), hard(0)).until == day(15)
    assert after(preset("constantcontact"), hard(0), hard(16)).until is None


def test_intilery_wants_each_failure_within_21_days_of_the_one_before() -> None:
    assert after(preset("intilery"), soft(0), soft(20), soft(40)).blocks is Blocks.ALL
    assert after(preset("intilery"), soft(0), soft(20), soft(41)).blocks is Blocks.NONE


def test_campus_rests_30_days() -> None:
    assert after(preset("campus"), soft(0)).until == day(30)


def test_engagingnetworks_goes_by_cause() -> None:
    policy = preset("engagingnetworks")
    for cause, limit in ((Cause.CONNECTION_FAILED, 3), (Cause.MAILBOX_FULL, 3), (Cause.DNS_FAILURE, 4)):
        assert after(policy, *softs(limit - 1, cause=cause)).blocks is Blocks.NONE
        assert after(policy, *softs(limit, cause=cause)).blocks is Blocks.ALL
    assert after(policy, *softs(40, cause=Cause.EXPIRED)).blocks is Blocks.NONE


# The recommended table: cause, strikes, least span in days, holds in days (None = for good), what is forbidden.
RECOMMENDED_SOFT = [
    (Cause.MAILBOX_FULL, 5, 14, [30, 90, None], Blocks.MARKETING),
    (Cause.SERVER_UNAVAILABLE, 5, 7, [30, 90, None], Blocks.MARKETING),
    (Cause.EXPIRED, 5, 7, [30, 90, None], Blocks.MARKETING),
    (Cause.RECIPIENT_RESTRICTED, 3, 7, [90, None], Blocks.MARKETING),
    (Cause.UNDETERMINED, 7, 14, [30, 90, None], Blocks.MARKETING),
    (Cause.MAILBOX_DISABLED, 2, 3, [90, None], Blocks.ALL),
    (Cause.DOMAIN_DOES_NOT_EXIST, 3, 3, [365, 365], Blocks.ALL),
]


@pytest.mark.parametrize(("cause", "strikes", "span", "ladder", "blocks"), RECOMMENDED_SOFT)
def test_recommended_holds_after_so_many_strikes_over_so_long(
    cause: Cause, strikes: int, span: float, ladder: list[float | None], blocks: Blocks
) -> None:
    step = span / (strikes - 1)
    wide = softs(strikes, every=max(step, 1), cause=cause)
    assert after(RECOMMENDED, *wide[:-1]).blocks is Blocks.NONE
    at = (wide[-1].occurred_at - START) / timedelta(days=1)
    one = after(RECOMMENDED, *wide)
    assert (one.blocks, one.until) == (blocks, day(at + (ladder[0] or 0)))
    events = wide
    for rung, length in enumerate(ladder[1:]):
        at += (ladder[rung] or 0) + 1
        events = [*events, soft(at, cause=cause)]
        assert after(RECOMMENDED, *events).until == (None if length is None else day(at + length))


@pytest.mark.parametrize(("cause", "span"), [(row[0], row[2]) for row in RECOMMENDED_SOFT])
def test_recommended_forgives_an_outage_however_many_failures_it_brings(cause: Cause, span: float) -> None:
    outage = softs(40, every=(span - 0.1) / 40, cause=cause)
    assert after(RECOMMENDED, *outage).blocks is Blocks.NONE


@pytest.mark.parametrize("cause", [Cause.MAILBOX_FULL, Cause.EXPIRED, Cause.RECIPIENT_RESTRICTED, Cause.UNDETERMINED])
def test_recommended_gives_three_more_to_people_who_opened_or_clicked_within_90_days(cause: Cause) -> None:
    rule = next(rule for rule in RECOMMENDED.rules if cause in rule.causes and Kind.SOFT_BOUNCE in rule.kinds)
    engaged = [opened(-1)]
    row = softs(rule.strikes + 3, every=7, cause=cause)
    assert after(RECOMMENDED, *engaged, *row[:-1]).blocks is Blocks.NONE
    assert after(RECOMMENDED, *engaged, *row).blocks is Blocks.MARKETING


def test_recommended_blocks_a_dead_mailbox_at_once_and_for_good() -> None:
    one = after(RECOMMENDED, hard(0))
    assert (one.status, one.blocks, one.until, one.rule) == (Status.BLOCKLISTED, Blocks.ALL, None, "bad_mailbox")


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.OPENED, Kind.CLICKED])
def test_recommended_asks_for_a_second_hard_bounce_a_day_later_from_the_lately_engaged(kind: Kind) -> None:
    alive = make_event(kind, day=-30, message="earlier")
    assert after(RECOMMENDED, alive, hard(0)).blocks is Blocks.NONE
    assert after(RECOMMENDED, alive, hard(0), hard(0.9)).blocks is Blocks.NONE
    assert after(RECOMMENDED, alive, hard(0), hard(1)).blocks is Blocks.ALL


def test_recommended_takes_the_esps_word_for_a_hard_bounce_without_a_reason() -> None:
    assert after(RECOMMENDED, hard(0, cause=Cause.UNDETERMINED)).status is Status.BLOCKLISTED


def test_recommended_takes_a_null_mx_at_its_word_for_a_year() -> None:
    one = after(RECOMMENDED, hard(0, cause=Cause.DOMAIN_ACCEPTS_NO_MAIL))
    assert (one.blocks, one.until) == (Blocks.ALL, day(365))


def test_recommended_starts_the_ladder_anew_after_180_clean_days() -> None:
    for rule in RECOMMENDED.rules:
        assert rule.action is not Action.HOLD or rule.ladder_forget == timedelta(days=180)
    first = [soft(0, cause=Cause.EXPIRED), *[soft(number, cause=Cause.EXPIRED) for number in (2, 4, 6, 8)]]
    assert after(RECOMMENDED, *first, soft(8 + 30 + 179, cause=Cause.EXPIRED)).blocks is Blocks.MARKETING
    assert after(RECOMMENDED, *first, soft(8 + 30 + 180, cause=Cause.EXPIRED)).blocks is Blocks.NONE


def test_recommended_counts_every_countable_failure_by_some_rule() -> None:
    for kind in BOUNCE_KINDS:
        for cause in COUNTABLE_CAUSES:
            assert any(kind in rule.kinds and cause in rule.causes for rule in RECOMMENDED.rules), (kind, cause)


def test_an_empty_table_is_the_recommended_policy() -> None:
    assert load_policy({}) == RECOMMENDED
