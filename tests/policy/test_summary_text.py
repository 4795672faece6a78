"""What a daily summary says of which requests."""

from collections import Counter
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

from schemas.safelist import RequestKind, RequestState
from worker.policy.summary_text import DecidedRequest, SummaryText, summary_text

NOON = datetime(2026, 7, 1, 16, 0, tzinfo=UTC)


def decided(request_id: int, address: str, **fields: Any) -> DecidedRequest:
    return DecidedRequest(
        **{
            "id": request_id,
            "address": address,
            "kind": RequestKind.LIFT,
            "state": RequestState.APPROVED,
            "note": "she wants her receipts",
            "requested_by": "kim",
            "decided_at": NOON,
            "decided_by": "safelist rules",
            "decline_reason": None,
            "decision_note": None,
            **fields,
        }
    )


def text_of(*requests: DecidedRequest, account: str = "shop", not_named: int = 0) -> SummaryText:
    counts = Counter((one.kind, one.state) for one in requests)
    counts[RequestKind.LIFT, RequestState.APPROVED] += not_named
    return summary_text(
        requests,
        counts,
        account=account,
        local_date=date(2026, 7, 2),
        zone=ZoneInfo("America/New_York"),
        zone_name="America/New_York",
    )


def test_it_tells_what_was_approved_declined_and_blocked_and_by_whom() -> None:
    declined = {"state": RequestState.DECLINED, "decline_reason": "spam_related", "decision_note": "pressed it twice"}
    text = text_of(
        decided(1, "jane@example.org"),
        decided(2, "john@example.org", decided_by="anna", **declined),
        decided(3, "trap@example.org", kind=RequestKind.BLOCK, note="a spam trap"),
        decided(4, "boss@example.org", kind=RequestKind.BLOCK, state=RequestState.DECLINED, decline_reason="other"),
    )

    assert text.subject == "Safelist requests of shop, 2026-07-02: 2 approved, 2 declined"
    assert text.headline == "4 requests decided: 2 approved, 2 declined."
    assert (text.approved, text.declined) == (2, 2)
    assert text.plain == (
        "4 requests decided: 2 approved, 2 declined. Times are of America/New_York.\n"
        "\n"
        "Approved: these contacts may be mailed again (1)\n"
        "- jane@example.org\n"
        "  Request 1 by kim: she wants her receipts\n"
        "  Approved by safelist rules, 2026-07-01 12:00\n"
        "\n"
        "Declined: these contacts stay as they were (1)\n"
        "- john@example.org\n"
        "  Request 2 by kim: she wants her receipts\n"
        "  Declined (spam_related) by anna, 2026-07-01 12:00: pressed it twice\n"
        "\n"
        "Blocked, as was asked: these contacts are not mailed any more (1)\n"
        "- trap@example.org\n"
        "  Request 3 by kim: a spam trap\n"
        "  Approved by safelist rules, 2026-07-01 12:00\n"
        "\n"
        "Not blocked: these requests to block were declined (1)\n"
        "- boss@example.org\n"
        "  Request 4 by kim: she wants her receipts\n"
        "  Declined (other) by safelist rules, 2026-07-01 12:00\n"
        "\n"
        "What was not sent meanwhile is not sent now: send again what matters.\n"
        "Requests that wait for a decision are told when they are decided.\n"
        "All requests: bouncekeeper safelist list\n"
    )


def test_html_has_the_same_words_and_nothing_of_a_note_becomes_markup() -> None:
    note = '<img src="https://evil.example/x.png"> & <script>alert(1)</script>'
    text = text_of(decided(1, '"<b>"@example.org', note=note, requested_by="<i>kim</i>"))

    tags: list[str] = []
    words: list[str] = []

    class _Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            assert [name for name, _ in attrs] == (["lang"] if tag == "html" else [])

        def handle_data(self, data: str) -> None:
            words.append(data)

    _Reader().feed(text.html)

    assert set(tags) == {"html", "body", "p", "h2", "ul", "li", "strong", "br"}
    read = " ".join(" ".join(words).split())
    assert note in read
    assert '"<b>"@example.org' in read


def test_a_note_with_line_breaks_or_marks_of_direction_stays_one_line() -> None:
    text = text_of(
        decided(1, "jane@example.org", note="line\r\n.\r\nSubject: other\u202e\ud800"), account="a\r\nBcc: x"
    )

    assert "Request 1 by kim: line . Subject: other\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\n" in text.plain
    assert text.subject.startswith("Safelist requests of a Bcc: x, ")
    assert "\n" not in text.subject


def test_of_very_many_requests_the_first_are_told_and_all_counted() -> None:
    first = [decided(number, f"contact-{number}@example.org") for number in range(1, 201)]
    text = text_of(*first, not_named=50)

    assert text.headline == "250 requests decided: 250 approved."
    assert text.plain.count("@example.org") == 200
    assert "and 50 more" in text.plain
    assert "and 50 more" in text.html


def test_one_request_is_said_in_the_singular() -> None:
    assert text_of(decided(1, "jane@example.org")).headline == "1 request decided: 1 approved."
