"""The contacts: whose status changes, why, where, and how mailbox providers judge each sending domain."""

from deploy.dashboards.generator.board import Board
from deploy.dashboards.generator.log_query import WHOLE, lines, or_zero
from deploy.dashboards.generator.metric_query import Series, series
from deploy.dashboards.generator.panel import Kind, Panel, shows
from worker.process import metrics

_TITLE = "Bouncekeeper: contacts"
_CHANGES = lines("status.changed")
_COUNTED = lines("sendings.counted")
_WHOSE = ("sending_domain", "source")
_DAY = "1d"
_BLOCKED = _CHANGES.where("old_blocks", "=", "none").where("new_blocks", "!=", "none")
_FREED = _CHANGES.where("old_blocks", "!=", "none").where("new_blocks", "=", "none")

_COMPLAINTS_SAY = (
    "Complaints for each 100 delivered messages, over one day up to each point. Gmail and Yahoo ask for less than "
    "0.1 % and refuse mail from 0.3 % on: stop the campaign of that domain and look whom it was sent to."
)
_BOUNCES_SAY = (
    "Bounces for each 100 messages that were delivered or bounced, over one day up to each point. Over 2 % a list is "
    "old, at 5 % ESPs stop an account: check the list before the next mailing."
)
_ONLY_WHERE = (
    " A source has a curve only if its deliveries are reported too; without a domain where the vendor tells none."
)


def _of_the_day(*fields: str) -> str:
    return "(" + " + ".join(_COUNTED.total(field, *_WHOSE, over=_DAY) for field in fields) + ")"


def _share(part: str, whole: str, delivered: str) -> str:
    """In percent; nothing where no delivery was reported, for that would be no rate of anything."""
    return f"100 * {part} / ({whole} and ({delivered} > 0))"


_DELIVERED = _of_the_day("delivered")

LOGS = Board(
    name="contacts",
    title=_TITLE,
    says="Whose status changes and why, who was blocked and freed, and the rates that mailbox providers look at.",
    source="loki",
    since="now-24h",
    panels=(
        Panel(
            title="Statuses changing",
            says=(
                "The new status of each contact whose status changed. "
                "A jump of blocklisted or complained follows a campaign: look at its list."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(shows(_CHANGES.count("new_status"), "{{new_status}}"),),
        ),
        Panel(
            title="Blocked and freed",
            says=(
                "Contacts that may not get some mail any longer, and those that may get all mail again. "
                "Freed ones had a hold that ended, opted in again, or were lifted by a person."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(shows(or_zero(_BLOCKED.count()), "blocked"), shows(or_zero(_FREED.count()), "freed")),
        ),
        Panel(
            title="Complaint rate by sending domain",
            says=_COMPLAINTS_SAY + _ONLY_WHERE,
            kind=Kind.CURVES,
            unit="percent",
            warn_at=0.1,
            alarm_at=0.3,
            decimals=2,
            targets=(
                shows(_share(_of_the_day("complaints"), _DELIVERED, _DELIVERED), "{{sending_domain}} {{source}}"),
            ),
        ),
        Panel(
            title="Bounce rate by sending domain",
            says=_BOUNCES_SAY + _ONLY_WHERE,
            kind=Kind.CURVES,
            unit="percent",
            warn_at=2,
            alarm_at=5,
            decimals=2,
            targets=(
                shows(
                    _share(
                        _of_the_day("hard_bounces", "soft_bounces"),
                        _of_the_day("delivered", "hard_bounces", "soft_bounces"),
                        _DELIVERED,
                    ),
                    "{{sending_domain}} {{source}}",
                ),
            ),
        ),
        Panel(
            title="Why: by cause",
            says=(
                "What the servers said, in our words; contacts who opted out have none. "
                "Causes of ours, such as sender_reputation, need work on the sending side, not on the list."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(shows(_CHANGES.count("cause"), "{{cause}}"),),
        ),
        Panel(
            title="Why: by rule of the policy",
            says=(
                "Which rule blocked; a complaint or an opt-out needs none. "
                "If a rule blocks more than you like, try another policy with `bouncekeeper policy apply --dry-run`."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(shows(_CHANGES.where("rule", "!=", "").count("rule"), "{{rule}}"),),
        ),
        Panel(
            title="Where: by mailbox provider",
            says=(
                "Who keeps the mailboxes, told by the domain; companies' own domains are `other`. "
                "If one provider jumps alone, its servers may be wrong: see docs/operating.md before you trust it."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(shows(_CHANGES.count("mailbox_provider"), "{{mailbox_provider}}"),),
        ),
        Panel(
            title="Where: the ten domains with the most changes",
            says=(
                "Domains of the contacts that changed, over the time shown. "
                "Many of one company at once mean that its server refuses you or has ended."
            ),
            kind=Kind.RANKING,
            unit="short",
            targets=(shows(f"topk(10, {_CHANGES.count('domain', over=WHOLE)})", "{{domain}}"),),
        ),
        Panel(
            title="By whom: source or actor",
            says=(
                "Which source reported what changed a status, or who decided it: time ends holds, policy is another "
                "policy, a name is a person. Look at a source that changes more than its share of the mail."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(shows(_CHANGES.count("actor", "source"), "{{actor}} {{source}}"),),
        ),
        Panel(
            title="By account",
            says=(
                "Which account the contacts belong to. "
                "If one customer's contacts change far more than the others', look at what it sends."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(shows(f"topk(20, {_CHANGES.count('account')})", "{{account}}"),),
        ),
        Panel(
            title="The changes themselves",
            says=(
                "The newest changes, addresses masked. "
                "Copy a delivery id or a contact id into the board of one delivery to see the rest."
            ),
            kind=Kind.LINES,
            unit="",
            targets=(shows(_CHANGES.shown("contact", "old_status", "new_status", "cause", "source", "domain")),),
            width=24,
            height=10,
        ),
    ),
)


def _sendings(*kinds: str) -> Series:
    return series(metrics.SENDINGS).where("kind", "=~", "|".join(kinds))


def _increase(*kinds: str) -> str:
    return _sendings(*kinds).increase(*_WHOSE, over=_DAY)


def _or_none(*kinds: str) -> str:
    """The increase, and 0 for a domain of which nothing of these kinds was ever reported."""
    return f"({_increase(*kinds)} or 0 * {_increase('delivered')})"


METRICS = Board(
    name="contacts",
    title=f"{_TITLE} (metrics)",
    says="Whose status changes, by which rule, and the rates that mailbox providers look at.",
    source="prometheus",
    since="now-24h",
    panels=(
        Panel(
            title="Statuses changing",
            says=LOGS.panels[0].says,
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.STATUS_CHANGES).rate("status"), "{{status}}"),),
        ),
        Panel(
            title="Events, by kind",
            says=(
                "What became of messages, without repeats. "
                "If blocked or soft_bounce rises alone, the trouble is the sender's or a server's, not the list's."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.EVENTS).rate("kind"), "{{kind}}"),),
        ),
        Panel(
            title="Complaint rate by sending domain",
            says=_COMPLAINTS_SAY + _ONLY_WHERE,
            kind=Kind.CURVES,
            unit="percent",
            warn_at=0.1,
            alarm_at=0.3,
            decimals=2,
            targets=(
                shows(
                    _share(_or_none("complaint"), _increase("delivered"), _increase("delivered")),
                    "{{sending_domain}} {{source}}",
                ),
            ),
        ),
        Panel(
            title="Bounce rate by sending domain",
            says=_BOUNCES_SAY + _ONLY_WHERE,
            kind=Kind.CURVES,
            unit="percent",
            warn_at=2,
            alarm_at=5,
            decimals=2,
            targets=(
                shows(
                    _share(
                        _or_none("hard_bounce", "soft_bounce"),
                        _increase("delivered", "hard_bounce", "soft_bounce"),
                        _increase("delivered"),
                    ),
                    "{{sending_domain}} {{source}}",
                ),
            ),
        ),
        Panel(
            title="Failures decided by a rule of yours",
            says=(
                "Failures that a rule of `[classification.rules]` has decided. "
                "A rule that decides nothing for weeks may go."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.CLASSIFICATION_RULES).rate("rule"), "{{rule}}"),),
        ),
        Panel(
            title="Changes announced to applications",
            says=(
                "Status changes confirmed by the exchange, and sent to endpoints. "
                "If an endpoint fails and takes nothing, run `bouncekeeper endpoints list`."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(
                shows(series(metrics.CHANGES_PUBLISHED).rate(), "exchange"),
                shows(series(metrics.ENDPOINT_ATTEMPTS).rate("endpoint", "outcome"), "{{endpoint}} {{outcome}}"),
            ),
        ),
    ),
)
