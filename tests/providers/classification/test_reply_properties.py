"""What never changes a verdict: other names, other line breaks, other letter case; and what no text can do."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.providers.classification.failure import classify
from worker.samples.server_reply import REPLIES

_LABELS = st.from_regex(r"[a-z][a-z0-9-]{0,12}[a-z0-9]", fullmatch=True)
_TRAPS = st.sampled_from(
    ["spam", "blacklist", "virus", "unknown", "full", "quota", "user", "relay", "disabled", "dkim"]
)
_HOSTS = st.builds("{}.{}.example.org".format, st.one_of(_LABELS, _TRAPS), _LABELS)
_ADDRESSES = st.builds("{}@{}".format, st.one_of(_LABELS, _TRAPS), _HOSTS)
_IPS = st.ip_addresses(v=4).map(str)
_IDS = st.from_regex(r"[0-9][A-F0-9]{7,14}[0-9]", fullmatch=True)
_TEMPLATES = st.sampled_from(
    [
        "host {host}[{ip}] said: 550 5.1.1 <{address}>: Recipient address rejected: User unknown {id}",
        "550 5.7.1 {id}: Client host {host}[{ip}] rejected by policy",
        "SMTP error from remote mail server after RCPT TO:<{address}>: host {host} [{ip}]: 550 {address} is gone",
        "delivery temporarily suspended: connect to {host}[{ip}]:25: Connection timed out",
        "452 4.2.2 <{address}> mailbox full ({id} at {host})",
        "554 5.7.1 message refused, see https://{host}/why?id={id}",
        "550 5.4.1 Recipient address rejected: Access denied. [{host} {id}]",
        "450 4.7.1 <{address}>: greylisted, ask {host} again",
    ]
)


def cause_of(text: str, status: str | None = None) -> str:
    return classify(smtp_code=None, enhanced_status=status, diagnostic=text, permanent=True).cause


@given(template=_TEMPLATES, host=_HOSTS, ip=_IPS, address=_ADDRESSES, number=_IDS)
def test_how_hosts_and_mailboxes_are_called_never_changes_a_verdict(
    template: str, host: str, ip: str, address: str, number: str
) -> None:
    plain = template.format(host="mx.north.example", ip="192.0.2.1", address="j@north.example", id="4AF0123459")
    assert cause_of(template.format(host=host, ip=ip, address=address, id=number)) == cause_of(plain)


@given(reply=st.sampled_from([reply.line for reply in REPLIES.values()]), data=st.data())
def test_wrapping_and_letter_case_never_change_a_verdict(reply: str, data: st.DataObject) -> None:
    words = reply.split(" ")
    blanks = data.draw(
        st.lists(st.sampled_from([" ", "\n", "\r\n ", "\t", "  "]), min_size=len(words), max_size=len(words))
    )
    wrapped = "".join(word + blank for word, blank in zip(words, blanks, strict=True))
    for text in (wrapped, reply.upper(), reply.title()):
        assert cause_of(text) == cause_of(reply)


@given(reply=st.sampled_from(list(REPLIES.values())))
def test_a_reply_of_several_lines_means_what_it_means_in_one(reply: object) -> None:
    line = reply.line  # type: ignore[attr-defined]
    code, _, rest = line.partition(" ")
    first, _, second = rest.rpartition(" ")
    assert cause_of(f"{code}-{first}\n{code} {second}") == cause_of(f"{code}-{first} {code} {second}")


@given(st.text(max_size=3000))
def test_no_text_makes_it_raise(text: str) -> None:
    assert cause_of(text)
    assert cause_of(f"host x[192.0.2.1] said: 550 {text} (in reply to RCPT TO command)")


@pytest.mark.alone
def test_no_text_takes_long() -> None:
    pieces = (
        "550 ",
        "a.",
        "<",
        "'",
        "550-'",
        "said: ",
        "quota ",
        "user ",
        "no ",
        "[",
        "x@",
        "1.",
        "exceeded ",
        "(",
        "full ",
    )
    for piece in pieces:
        for other in pieces:
            text = (piece + other) * 4000
            started = time.process_time()
            cause_of(text)
            assert time.process_time() - started < 0.25, (piece, other)
