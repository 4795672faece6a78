"""What the daily summary says, as plain text and as HTML."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from html import escape

from msgspec import Struct

from schemas.safelist import RequestKind, RequestState
from schemas.text_limit import cut_text

MOST_SHOWN_REQUESTS = 200  # in one part; the list of requests has all
_MOST_CHARACTERS = 300  # of a note


class DecidedRequest(Struct, frozen=True, kw_only=True):
    """A request that was approved or declined, as far as a summary tells of it."""

    id: int
    address: str
    kind: RequestKind
    state: RequestState
    note: str  # the requester's
    requested_by: str
    decided_at: datetime
    decided_by: str
    decline_reason: str | None
    decision_note: str | None


class SummaryText(Struct, frozen=True, kw_only=True):
    """One summary: the mail's texts, and the sentence that may be logged, for it names nobody."""

    subject: str
    headline: str
    plain: str
    html: str
    approved: int
    declined: int


class _Part(Struct, frozen=True, kw_only=True):
    title: str
    requests: Sequence[DecidedRequest]
    count: int


def summary_text(
    requests: Sequence[DecidedRequest],
    counts: Mapping[tuple[RequestKind, RequestState], int],
    *,
    account: str,
    local_date: date,
    zone: tzinfo,
    zone_name: str,
) -> SummaryText:
    """The text of a summary that tells of at least one request. Times are those of `zone`.

    `requests` are the first MOST_SHOWN_REQUESTS of each kind and state, `counts` says how many there are of each.
    """
    parts = [part for part in _parts(requests, counts) if part.count]
    approved = sum(count for (_, state), count in counts.items() if state is RequestState.APPROVED)
    declined = sum(counts.values()) - approved
    headline = _headline(approved, declined)
    introduction = f"{headline} Times are of {zone_name}."
    end = [
        "What was not sent meanwhile is not sent now: send again what matters.",
        "Requests that wait for a decision are told when they are decided.",
        "All requests: bouncekeeper safelist list",
    ]
    return SummaryText(
        subject=f"Safelist requests of {_one_line(account)}, {local_date.isoformat()}: {_counts(approved, declined)}",
        headline=headline,
        plain=_plain(introduction, parts, end, zone),
        html=_html(introduction, parts, end, zone),
        approved=approved,
        declined=declined,
    )


def _parts(requests: Sequence[DecidedRequest], counts: Mapping[tuple[RequestKind, RequestState], int]) -> list[_Part]:
    titles = {
        (RequestKind.LIFT, RequestState.APPROVED): "Approved: these contacts may be mailed again",
        (RequestKind.LIFT, RequestState.DECLINED): "Declined: these contacts stay as they were",
        (RequestKind.BLOCK, RequestState.APPROVED): "Blocked, as was asked: these contacts are not mailed any more",
        (RequestKind.BLOCK, RequestState.DECLINED): "Not blocked: these requests to block were declined",
    }
    return [
        _Part(
            title=title,
            requests=[one for one in requests if (one.kind, one.state) == key],
            count=counts.get(key, 0),
        )
        for key, title in titles.items()
    ]


def _headline(approved: int, declined: int) -> str:
    total = approved + declined
    return f"{total} request{'' if total == 1 else 's'} decided: {_counts(approved, declined)}."


def _counts(approved: int, declined: int) -> str:
    counts = [(approved, "approved"), (declined, "declined")]
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def _plain(introduction: str, parts: Sequence[_Part], end: Sequence[str], zone: tzinfo) -> str:
    lines = [introduction]
    for part in parts:
        lines += ["", f"{part.title} ({part.count})"]
        for one in part.requests:
            lines += [f"- {_one_line(one.address)}", *(f"  {line}" for line in _details(one, zone))]
        if more := _more(part):
            lines.append(more)
    return "\n".join([*lines, "", *end, ""])


def _html(introduction: str, parts: Sequence[_Part], end: Sequence[str], zone: tzinfo) -> str:
    body = [f"<p>{escape(introduction)}</p>"]
    for part in parts:
        body += [f"<h2>{escape(part.title)} ({part.count})</h2>", "<ul>"]
        for one in part.requests:
            details = "".join(f"<br>{escape(line)}" for line in _details(one, zone))
            body.append(f"<li><strong>{escape(_one_line(one.address))}</strong>{details}</li>")
        body.append("</ul>")
        if more := _more(part):
            body.append(f"<p>{escape(more)}</p>")
    body += [f"<p>{escape(line)}</p>" for line in end]
    return "\n".join(["<!DOCTYPE html>", '<html lang="en"><body>', *body, "</body></html>", ""])


def _details(one: DecidedRequest, zone: tzinfo) -> list[str]:
    decided_at = one.decided_at.astimezone(zone)
    reason = f" ({one.decline_reason})" if one.decline_reason is not None else ""
    said = f": {_short(one.decision_note)}" if one.decision_note else ""
    return [
        f"Request {one.id} by {_one_line(one.requested_by)}: {_short(one.note)}",
        f"{one.state.value.capitalize()}{reason} by {_one_line(one.decided_by)}, {decided_at:%Y-%m-%d %H:%M}{said}",
    ]


def _more(part: _Part) -> str:
    more = part.count - len(part.requests)
    return f"and {more} more" if more > 0 else ""


def _short(text: str) -> str:
    return cut_text(_one_line(text), _MOST_CHARACTERS)


def _one_line(text: str) -> str:
    """On one line, and without what a mail cannot hold, such as half a character."""
    line = " ".join(text.split())
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
