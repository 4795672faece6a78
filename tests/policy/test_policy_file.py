"""The `[policy]` table: presets with overrides, and every mistake told with its rule, its key and its remedy."""

import tomllib
from datetime import timedelta
from typing import Any

import pytest

from schemas.vocabulary import CAUSE_BLAME, Blame, Blocks, Cause, Kind
from worker.errors import ImpossibleSetting
from worker.policy.cause_groups import CAUSE_GROUPS
from worker.policy.policy_file import load_policy, preset, recommended_policy
from worker.policy.policy_print import policy_as_toml
from worker.policy.presets import preset_names
from worker.policy.rule import Action, LiftBy, Policy, Rule


def rule_of(policy: Policy, name: str) -> Rule:
    return next(rule for rule in policy.rules if rule.name == name)


def from_toml(text: str) -> Policy:
    return load_policy(tomllib.loads(text)["policy"])


def test_an_override_replaces_only_the_keys_it_names() -> None:
    policy = from_toml("[policy.rules.mailbox_full]\nstrikes = 8")
    changed, before = rule_of(policy, "mailbox_full"), rule_of(recommended_policy(), "mailbox_full")
    assert changed.strikes == 8
    assert (changed.window, changed.hold_ladder, changed.causes) == (before.window, before.hold_ladder, before.causes)
    assert len(policy.rules) == len(recommended_policy().rules)


def test_a_rule_of_the_preset_can_be_removed() -> None:
    policy = from_toml("[policy.rules.undetermined]\nremove = true")
    assert "undetermined" not in {rule.name for rule in policy.rules}


def test_a_new_rule_stands_beside_the_presets() -> None:
    policy = from_toml(
        """
        [policy]
        preset = "provider"
        [policy.rules.full]
        causes = ["mailbox_full", "@temporary"]
        kinds = ["soft_bounce"]
        strikes = 4
        action = "hold"
        hold_ladder = ["12h", "forever"]
        """
    )
    rule = rule_of(policy, "full")
    assert rule.causes == {Cause.MAILBOX_FULL, *CAUSE_GROUPS["@temporary"]}
    assert rule.hold_ladder == (timedelta(hours=12), None)


def test_another_action_leaves_the_holds_keys_behind() -> None:
    rule = rule_of(from_toml('[policy.rules.temporary]\naction = "record"'), "temporary")
    assert (rule.action, rule.hold_ladder, rule.ladder_forget) == (Action.RECORD, (), None)


def test_what_holds_for_all_rules_can_be_set() -> None:
    policy = from_toml(
        """
        [policy]
        name = "ours"
        max_event_age = "3d"
        do_not_contact_applies_to = "commercial"
        declined_commercial_applies_to = "all"
        complaint_applies_to = "commercial"
        marketing_complaint_applies_to = "marketing"
        marketing_streams = ["newsletter", "stream:offers"]
        unsubscribed_applies_to = "commercial"
        scoped_unsubscribe_applies_to = "none"
        unsubscribed_by_us_applies_to = "all"
        non_marketable_applies_to = "none"
        """
    )
    assert (policy.name, policy.max_event_age) == ("ours", timedelta(days=3))
    assert policy.do_not_contact_applies_to is Blocks.COMMERCIAL
    assert policy.declined_commercial_applies_to is Blocks.ALL
    assert policy.complaint_applies_to is Blocks.COMMERCIAL
    assert policy.marketing_complaint_applies_to is Blocks.MARKETING
    assert policy.marketing_streams == {"newsletter", "stream:offers"}
    assert policy.unsubscribed_applies_to is Blocks.COMMERCIAL
    assert policy.scoped_unsubscribe_applies_to is Blocks.NONE
    assert policy.unsubscribed_by_us_applies_to is Blocks.ALL
    assert policy.non_marketable_applies_to is Blocks.NONE
    assert load_policy(tomllib.loads(policy_as_toml(policy))["policy"]) == policy


def test_a_complaint_about_a_marketing_stream_forbids_what_any_complaint_does_unless_it_is_set() -> None:
    assert from_toml('[policy]\ncomplaint_applies_to = "marketing"').marketing_complaint_applies_to is Blocks.MARKETING


def test_lift_by_follows_the_action_when_it_is_left_out() -> None:
    table: dict[str, Any] = {"causes": ["@any"]}
    hold = {**table, "action": "hold", "hold_ladder": ["1d"]}
    assert load_policy({"preset": "none", "rules": {"r": table}}).rules[0].lift_by == {LiftBy.ADMIN}
    assert load_policy({"preset": "none", "rules": {"r": hold}}).rules[0].lift_by == {LiftBy.ADMIN, LiftBy.EXPIRY}


def test_the_groups_together_are_every_cause_that_can_count() -> None:
    assert CAUSE_GROUPS["@hard"] | CAUSE_GROUPS["@soft"] == CAUSE_GROUPS["@any"]
    assert not CAUSE_GROUPS["@hard"] & CAUSE_GROUPS["@soft"]
    for cause in CAUSE_GROUPS["@any"]:
        assert CAUSE_BLAME[cause] in {Blame.RECIPIENT, Blame.REMOTE}


HOLD = {"action": "hold", "hold_ladder": ["30d"]}
# One rule `r` over a full mailbox with these keys, and words that the message must hold.
MISTAKES: list[tuple[dict[str, Any], list[str]]] = [
    ({"causes": ["mailbox_ful"]}, ["causes", "'mailbox_ful'", "did you mean mailbox_full?"]),
    ({"causes": ["@tempory"]}, ["causes", "unknown group '@tempory'", "did you mean @temporary?"]),
    ({"causes": []}, ["causes", "count nothing"]),
    ({"causes": "mailbox_full"}, ["causes", "write a list"]),
    ({"causes": ["sender_reputation"]}, ["causes", "sender_reputation", "sender's fault", "remove it"]),
    ({"causes": ["content", "mailbox_full"]}, ["causes", "content", "sender's fault"]),
    ({"causes": ["suppressed_by_provider"]}, ["causes", "suppressed_by_provider", "not a failure"]),
    ({"causes": ["abuse_report"]}, ["causes", "complaints always count"]),
    ({"kinds": []}, ["kinds", "count nothing"]),
    ({"kinds": ["dropped"]}, ["kinds", "'dropped'", "hard_bounce"]),
    ({"kinds": ["deferred"]}, ["kinds", "'deferred'"]),
    ({"strikes": 0}, ["strikes", "is 0", "from 1 to 100"]),
    ({"strikes": -3}, ["strikes", "from 1 to 100"]),
    ({"strikes": True}, ["strikes", "is True"]),
    ({"strikes": 2.5}, ["strikes", "is 2.5"]),
    ({"strikes": 101}, ["strikes", "from 1 to 100"]),
    ({"strike": 3}, ["strike", "not a key of a rule", "did you mean strikes?"]),
    ({"engaged_extra": -1}, ["engaged_extra", "from 0 to 100"]),
    ({"engaged_extra": 1, "engaged_by": []}, ["engaged_by", "never applies"]),
    ({"engaged_extra": 1, "engaged_within": "0d"}, ["engaged_within", "never applies"]),
    ({"engaged_by": ["resubscribe"]}, ["engaged_by", "'resubscribe'"]),
    ({"weights": {"soft_bounce": 0}}, ["weights.soft_bounce", "above 0"]),
    ({"weights": {"soft_bounce": float("nan")}}, ["weights.soft_bounce", "above 0"]),
    ({"weights": {"complaint": 1}}, ["weights", "'complaint'"]),
    ({"weights": 2}, ["weights", "write weights = {"]),
    ({"kinds": ["soft_bounce"], "weights": {"hard_bounce": 2}}, ["weights", "hard_bounce", "not among its kinds"]),
    ({"strikes": 50, "weights": {"soft_bounce": 0.1}}, ["weights", "500 strikes", "within 100"]),
    ({"window": "30"}, ["window", "'30' is not a duration", '"30d"']),
    ({"window": "-3d"}, ["window", "is not a duration"]),
    ({"window": 30}, ["window", "is 30"]),
    ({"window": "999999d"}, ["window", "longer than a hundred years"]),
    ({"window": "0d"}, ["window", "forgotten at once"]),
    ({"stale_after": "0s"}, ["stale_after", "forgotten at once"]),
    ({"min_interval": "forever"}, ["min_interval", 'cannot be "forever"']),
    ({"min_span": "7d"}, ["min_span", "single strike", "raise strikes"]),
    ({"strikes": 3, "min_span": "30d", "window": "30d"}, ["min_span", "not below window", "lengthen window"]),
    ({"strikes": 5, "min_interval": "10d", "window": "40d"}, ["min_interval", "5 strikes", "not below window"]),
    (
        {"strikes": 2, "engaged_extra": 3, "engaged_min_interval": "10d", "window": "40d"},
        ["engaged_min_interval", "5 strikes", "window"],
    ),
    ({"strikes": 2, "min_interval": "7d", "stale_after": "7d"}, ["min_interval", "not below stale_after"]),
    ({"reset_on": ["accepted"]}, ["reset_on", "'accepted'", "delivered"]),
    ({"action": "suppress"}, ["action", "'suppress'", "block, hold, record"]),
    ({"action": "hold"}, ["hold_ladder", "missing", 'hold_ladder = ["30d", "forever"]']),
    ({"action": "hold", "hold_ladder": []}, ["hold_ladder", "missing"]),
    ({"hold_ladder": ["30d"]}, ["hold_ladder", "no effect with action 'block'", 'action = "hold"']),
    ({"action": "record", "hold_ladder": ["30d"]}, ["hold_ladder", "no effect with action 'record'"]),
    ({"trial_strikes": 2}, ["trial_strikes", "no effect"]),
    ({"ladder_forget": "90d"}, ["ladder_forget", "no effect"]),
    ({**HOLD, "hold_ladder": ["30d", "0d"]}, ["hold_ladder", "zero length"]),
    ({**HOLD, "hold_ladder": ["forever", "30d"]}, ["hold_ladder", 'after "forever"']),
    ({**HOLD, "hold_ladder": ["a while"]}, ["hold_ladder", "'a while' is not a duration"]),
    ({**HOLD, "lift_by": ["admin"]}, ["lift_by", "expiry", 'add "expiry"']),
    ({"lift_by": ["expiry"]}, ["lift_by", "never ends by time"]),
    ({**HOLD, "hold_ladder": ["forever"], "lift_by": ["expiry"]}, ["lift_by", "no rung"]),
    ({"lift_by": ["prayer"]}, ["lift_by", "'prayer'", "admin"]),
    ({"applies_to": "none"}, ["applies_to", "forbid nothing", 'action = "record"']),
    ({"applies_to": "transactional"}, ["applies_to", "'transactional'"]),
    ({"status": "complained"}, ["status", "'complained'", "blocklisted, multiple_soft_bounces"]),
    ({"remove": True}, ["remove", "names a rule that preset"]),
    ({"remove": "yes"}, ["remove", "is 'yes'", "write remove = true"]),
]


@pytest.mark.parametrize(("keys", "words"), MISTAKES, ids=lambda value: str(value)[:60])
def test_a_mistake_in_a_rule_names_the_rule_the_key_and_the_remedy(keys: dict[str, Any], words: list[str]) -> None:
    rule = keys if "remove" in keys else {"causes": ["mailbox_full"], **keys}
    with pytest.raises(ImpossibleSetting) as caught:
        load_policy({"preset": "none", "rules": {"r": rule}})
    message = str(caught.value)
    assert message.startswith("policy rule 'r': ")
    for word in words:
        assert word in message
    assert "; " in message  # what is wrong; what to do


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"preset": "mailchump"}, ["preset", "did you mean mailchimp?"]),
        ({"preset": 7}, ["preset", "is 7"]),
        ({"prest": "recommended"}, ["prest", "did you mean preset?"]),
        ({"max_event_age": "soon"}, ["max_event_age", "'soon' is not a duration"]),
        ({"complaint_applies_to": "none"}, ["complaint_applies_to", "always forbids"]),
        ({"complaint_applies_to": "some"}, ["complaint_applies_to", "'some'"]),
        (
            {"do_not_contact_applies_to": "marketing"},
            ["do_not_contact_applies_to", "commercial mail", "commercial, all"],
        ),
        ({"declined_commercial_applies_to": "none"}, ["declined_commercial_applies_to", "always forbids"]),
        (
            {"complaint_applies_to": "marketing", "marketing_complaint_applies_to": "all"},
            ["marketing_complaint_applies_to", "more than complaint_applies_to"],
        ),
        ({"marketing_streams": "news"}, ["marketing_streams", "write a list"]),
        ({"marketing_streams": ["news", " "]}, ["marketing_streams", "write a list"]),
        ({"scoped_unsubscribe_applies_to": 1}, ["scoped_unsubscribe_applies_to"]),
        ({"name": ""}, ["name"]),
        ({"rules": [1]}, ["rules", "[policy.rules.<name>]"]),
        ({"rules": {"temporary": 5}}, ["rules.temporary is 5", "[policy.rules.temporary]"]),
        ({"mailbox_full": {"strikes": 8}}, ["mailbox_full is a rule", "[policy.rules.mailbox_full]"]),
        (
            {"rules": {"mailbx_full": {"strikes": 8}}},
            ["'mailbx_full'", "preset 'recommended' has no such rule", "did you mean [policy.rules.mailbox_full]?"],
        ),
        (
            {"rules": {"Temporary": {"remove": True}}},
            ["'Temporary'", "does not have", "did you mean [policy.rules.temporary]?"],
        ),
        ({"preset": "none"}, ["no rule", "choose a preset"]),
        ({"rules": {"Bad Name": {"causes": ["@any"]}}}, ["'Bad Name'", "rename"]),
        ({"rules": {"temporary": {"remove": True, "strikes": 3}}}, ["'temporary'", "next to other keys"]),
        ({"rules": {"new": {"strikes": 3}}}, ["'new'", "causes is missing", "@temporary"]),
        (
            {"rules": {"zz_mine": {"causes": ["mailbox_full"]}}},
            ["'zz_mine'", "hard_bounce with mailbox_full", "'mailbox_full' already counts", "remove = true"],
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_mistake_in_the_table_names_the_key_and_the_remedy(table: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ImpossibleSetting) as caught:
        load_policy(table)
    for word in ["policy", *words]:
        assert word in str(caught.value)


def test_every_mistake_of_a_policy_is_reported_at_once() -> None:
    rules: dict[str, Any] = {
        "mailbox_full": {"strikes": 0, "stikes": 8, "causes": ["mailbox_ful", "@sotf", "mailbox_full"]},
        "mailbx_full": {"strikes": 8},
        "temporary": {"min_interval": "soon", "reset_on": ["acepted", "opened", "klicked"]},
        "undetermined": {"hold_ladder": ["30d", "later"], "weights": {"soft_bounce": 0, "bounced": 1}},
        "bad_domain": {"window": "0d", "min_span": "3d", "engaged_extra": 1, "engaged_by": []},
        "Mine": {"causes": ["mailbox_disabled"], "kinds": ["dropped"]},
        "nobodys": {"remove": True},
        "gone": 7,
    }
    with pytest.raises(ImpossibleSetting) as caught:
        load_policy({"prest": "odoo", "max_event_age": 14, "complaint_applies_to": "none", "name": "", "rules": rules})
    wanted = [
        "policy: prest is not a key",
        "policy: max_event_age is 14",
        'policy: complaint_applies_to is "none"',
        "policy: name is ''",
        "policy rule 'mailbox_full': strikes is 0",
        "policy rule 'mailbox_full': stikes is not a key",
        "policy rule 'mailbox_full': causes is 'mailbox_ful'",
        "policy rule 'mailbox_full': causes names an unknown group '@sotf'",
        "policy rule 'mailbx_full': preset 'recommended' has no such rule",
        "policy rule 'temporary': min_interval cannot be read",
        "policy rule 'temporary': reset_on is 'acepted'",
        "policy rule 'temporary': reset_on is 'klicked'",
        "policy rule 'undetermined': hold_ladder cannot be read",
        "policy rule 'undetermined': weights.soft_bounce is 0",
        "policy rule 'undetermined': weights is 'bounced'",
        "policy rule 'bad_domain': window is zero",
        "policy rule 'bad_domain': engaged_by is empty",
        "policy rule 'Mine': a rule's name is",
        "policy rule 'Mine': kinds is 'dropped'",
        "policy rule 'nobodys': remove names a rule that preset",
        "policy: rules.gone is 7",
    ]
    told = caught.value.mistakes
    for beginning in wanted:
        assert len([mistake for mistake in told if mistake.startswith(beginning)]) == 1, beginning
    assert len(told) == len(wanted), told


def test_with_a_misspelt_preset_the_rules_are_read_all_the_same() -> None:
    """What the preset would have brought along is not missed."""
    rules = {"mailbox_full": {"strikes": 8}, "temporary": {"strikes": 0}, "undetermined": {"remove": True}}
    with pytest.raises(ImpossibleSetting) as caught:
        load_policy({"preset": "mailchump", "rules": rules})
    assert [mistake.partition(" is ")[0] for mistake in caught.value.mistakes] == [
        "policy: preset",
        "policy rule 'temporary': strikes",
    ]


def test_two_rules_may_share_a_cause_when_their_kinds_differ() -> None:
    policy = load_policy(
        {
            "preset": "none",
            "rules": {
                "hard": {"causes": ["@any"], "kinds": ["hard_bounce"]},
                "soft": {"causes": ["@any"], "kinds": ["soft_bounce"]},
            },
        }
    )
    assert [rule.kinds for rule in policy.rules] == [{Kind.HARD_BOUNCE}, {Kind.SOFT_BOUNCE}]


@pytest.mark.parametrize("name", preset_names())
def test_the_effective_table_loads_again_as_the_same_policy(name: str) -> None:
    assert from_toml(policy_as_toml(preset(name))) == preset(name)


def test_the_effective_table_of_an_overridden_policy_loads_again() -> None:
    policy = from_toml(
        """
        [policy]
        name = 'a "quoted" näme'
        max_event_age = "forever"
        [policy.rules.temporary]
        weights = { soft_bounce = 0.3 }
        engaged_min_interval = "90m"
        window = "forever"
        """
    )
    assert from_toml(policy_as_toml(policy)) == policy
