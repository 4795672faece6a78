"""The report of a span of time as one HTML file: no script, nothing fetched, each chart with its table under it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from worker.commands.support.output import moment
from worker.commands.support.svg_chart import (
    MOST_COLOURS,
    ChartSeries,
    bar_chart,
    column_chart,
    text_of,
)
from worker.contacts.period_report import OTHER_CAUSES, PeriodReport, Series, Shares, Total, Unit

_OTHERS_COLOUR = MOST_COLOURS - 1
_BLOCKED_AND_FREED_COLOURS = (3, 2)  # red and green
_TOTALS = {
    "bounces": ("bounces", "failures of all kinds"),
    "hard_bounces": ("hard bounces", "will fail again"),
    "complaints": ("complaints", "pressed “spam”"),
    "unsubscribes": ("unsubscribed", "contacts who asked for less, or for nothing more"),
    "blocked": ("contacts blocked", "may no longer be sent some or all mail"),
    "freed": ("contacts freed", "may be sent everything again"),
}
_DATE_FORMATS = {Unit.DAY: "%b %d", Unit.WEEK: "%b %d", Unit.MONTH: "%b %Y", Unit.YEAR: "%Y"}

_CAUSES_SAY = (
    "Causes of the mailbox mean an old list; causes of the sender, such as reputation or content, mean that mail to "
    "good addresses is refused too."
)
_BLOCKED_SAYS = (
    "A jump of blocked contacts follows a mailing: look at its list. Freed are those whom a rule, a later success or a "
    "person gave back."
)
_PROVIDERS_SAY = (
    "Which ESP reported the bounces: one that stands out against its share of your mail has a trouble of its own."
)
_DOMAINS_SAY = (
    "The recipients' mail domains: one large domain that refuses you is a matter of your reputation there, many small "
    "ones are an old list."
)
_SOURCES_SAY = (
    "The configured source that the reports came through: one that is missing had no bounces, or has fallen silent."
)
_NO_BOUNCE = "<p>Nothing bounced in this span.</p>"
_STYLE = """
:root { color-scheme: light dark; --page: #fbfbfa; --ink: #1c1c1a; --soft: #605f5b; --line: #dddcd6;
  --c0: #2a6fc4; --c1: #e08e0b; --c2: #14936a; --c3: #c8413f; --c4: #6a4fb3; --c5: #1794a8; --c6: #96958e; }
@media (prefers-color-scheme: dark) { :root { --page: #191918; --ink: #f0efeb; --soft: #aeada6; --line: #3c3b38;
  --c0: #5b9cec; --c1: #eeae45; --c2: #3cba8d; --c3: #ee7472; --c4: #a48be4; --c5: #4dbfd1; --c6: #85847d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 760px; padding: 24px 20px 48px; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 4px; font-size: 26px; line-height: 1.25; text-wrap: balance; }
h1 span { white-space: nowrap; } h2 { margin: 0 0 4px; font-size: 19px; }
p { margin: 0 0 12px; color: var(--soft); }
section { margin-top: 40px; }
.totals { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(200px, 45%), 1fr)); gap: 20px 16px;
  margin: 28px 0 0; }
.totals div { border-top: 2px solid var(--line); padding-top: 8px; }
.totals dt { font-size: 14px; } .totals dd { margin: 0; font-size: 14px; color: var(--soft); }
.totals .count { font-size: 27px; line-height: 1.2; color: var(--ink); font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } .wide svg { min-width: 540px; }
svg { display: block; width: 100%; height: auto; } .bars svg { max-width: 560px; }
svg text { fill: var(--soft); font-size: 13px; } svg .grid { stroke: var(--line); }
svg rect { stroke: var(--page); stroke-width: 1; }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); } .c3 { fill: var(--c3); }
.c4 { fill: var(--c4); } .c5 { fill: var(--c5); } .c6 { fill: var(--c6); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0 0 8px; padding: 0; list-style: none;
  font-size: 14px; }
.legend svg { display: inline-block; width: 12px; height: 12px; margin-right: 6px; }
table { width: 100%; margin-top: 12px; border-collapse: collapse; font-size: 14px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: bottom;
  white-space: nowrap; }
th { font-weight: 600; } thead th { white-space: normal; min-width: 70px; }
.word, .name { text-align: left; } td.name { white-space: normal; overflow-wrap: anywhere; min-width: 110px; }
footer { margin-top: 40px; font-size: 14px; color: var(--soft); }
@media print { :root { color-scheme: light; --page: #fff; --ink: #000; --soft: #444; --line: #ccc;
  --c0: #2a6fc4; --c1: #e08e0b; --c2: #14936a; --c3: #c8413f; --c4: #6a4fb3; --c5: #1794a8; --c6: #96958e; }
  body { max-width: none; padding: 0; font-size: 11pt; } svg rect { print-color-adjust: exact; }
  .wide { overflow: visible; } table { font-size: 9pt; } th, td { padding-right: 8px; }
  h2, .chart, .legend, .totals, tr { break-inside: avoid; } h2, h2 + p, .legend { break-after: avoid; } }
"""


def report_page(report: PeriodReport, *, made_at: datetime) -> str:
    """The whole page: HTML that is well-formed XML too."""
    whose = "all accounts" if report.account is None else f"account {report.account}"
    dates = f"{_date(report.since)} to {_date(report.until)}"
    lead = (
        f"From {moment(report.since)} to {moment(report.until)}, {whose}. Changes are against the span of the same "
        f"length before it, from {moment(report.before_since)}."
    )
    closing = (
        f"Made by Bouncekeeper on {moment(made_at)}. Times and columns are in UTC; the first and the last "
        f"{report.unit} may be cut by the span. Bounces count when they happened, blocked and freed when Bouncekeeper "
        "learnt of it. Reports that name no contact are left out."
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<title>Bounces and statuses, {dates}</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>Bounces and statuses, <span>{dates}</span></h1><p>{text_of(lead)}</p></header>
{_totals(report.totals)}
{_over_time(report, report.bounces_by_cause, "Bounces by cause", _CAUSES_SAY)}
{_over_time(report, report.blocked_and_freed, "Contacts blocked and freed", _BLOCKED_SAYS, blocks=True)}
{_shares(report.bounces_by_provider, "provider", _PROVIDERS_SAY)}
{_shares(report.bounces_by_domain, "domain", _DOMAINS_SAY, note="mailboxes kept by")}
{_shares(report.bounces_by_source, "source", _SOURCES_SAY)}
<footer><p>{text_of(closing)}</p></footer>
</body>
</html>
"""


def _totals(totals: Sequence[Total]) -> str:
    parts = ['<dl class="totals">']
    for total in totals:
        name, says = _TOTALS[total.name]
        parts.append(f'<div><dt>{name}</dt><dd class="count">{total.count:,}</dd>')
        parts.append(f"<dd>{change_of(total)}</dd><dd>{says}</dd></div>")
    return "".join([*parts, "</dl>"])


def change_of(total: Total) -> str:
    """The change from the span before, in words: "+20 % (100 before)"."""
    if total.count == total.before:
        return f"unchanged ({total.before:,} before)"
    if total.before == 0:
        return "none before"
    percent = (total.count - total.before) * 100 / total.before
    shown = f"{percent:+,.0f}" if abs(percent) >= 1 else f"{percent:+.1f}"
    return f"{shown} % ({total.before:,} before)".replace("-", "\u2212")


def _over_time(report: PeriodReport, every: Sequence[Series], heading: str, says: str, *, blocks: bool = False) -> str:
    colours = _BLOCKED_AND_FREED_COLOURS if blocks else range(MOST_COLOURS)
    shown = [
        ChartSeries(
            name=_word(one.name),
            counts=one.counts,
            colour=_OTHERS_COLOUR if one.name == OTHER_CAUSES else colours[place],
        )
        for place, one in enumerate(every)
    ]
    drawing = "<p>Nothing of this happened in this span.</p>"
    if any(any(one.counts) for one in shown):
        labels = [begin.strftime(_DATE_FORMATS[report.unit]) for begin in report.begins_at]
        chart = column_chart(shown, labels, title=f"{heading} by {report.unit}", side_by_side=blocks)
        drawing = f'{_legend(shown)}<div class="wide chart" tabindex="0">{chart}</div>'
    head = [f"{report.unit} from", *(one.name for one in shown)]
    rows = [
        [_date(begin), *(f"{one.counts[place]:,}" for one in shown)] for place, begin in enumerate(report.begins_at)
    ]
    rows.append(["all", *(f"{sum(one.counts):,}" for one in shown)])
    return _section(heading, says, drawing + _table(head, rows))


def _legend(series: Sequence[ChartSeries]) -> str:
    entries = [
        f'<li><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="c{one.colour}" width="12" height="12"/></svg>'
        f"{text_of(one.name)}</li>"
        for one in series
    ]
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _shares(shares: Shares, what: str, says: str, *, note: str = "") -> str:
    heading = f"Bounces by {what}"
    bounces = shares.others + sum(row.bounces for row in shares.rows)
    if not bounces:
        return _section(heading, says, _NO_BOUNCE)
    named = [(row.name or f"without a {what}", row.bounces, row.note) for row in shares.rows]
    if (more := shares.names - len(shares.rows)) > 0:
        named.append((f"{more:,} others", shares.others, ""))
    head = [what, *([note] if note else []), "bounces", "share"]
    rows = [
        [name, *([own_note] if note else []), f"{count:,}", f"{count * 100 / bounces:.1f} %"]
        for name, count, own_note in named
    ]
    chart = bar_chart([(name, count) for name, count, _ in named], title=heading)
    return _section(heading, says, f'<div class="bars chart">{chart}</div>{_table(head, rows, words=len(head) - 2)}')


def _section(heading: str, says: str, content: str) -> str:
    return f"<section><h2>{text_of(heading)}</h2><p>{text_of(says)}</p>{content}</section>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """The first `words` columns are words, the others numbers."""
    titles = "".join(f'<th scope="col"{_class(place, words)}>{text_of(cell)}</th>' for place, cell in enumerate(head))
    lines = (
        "".join(f"<td{_class(place, words)}>{text_of(cell)}</td>" for place, cell in enumerate(row)) for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def _class(place: int, words: int) -> str:
    if place == 0:
        return ' class="name"'
    return ' class="word"' if place < words else ""


def _date(when: datetime) -> str:
    return when.astimezone(UTC).date().isoformat()


def _word(name: str) -> str:
    return name.replace("_", " ")
