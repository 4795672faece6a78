"""Signatures made with a real key, checked with keys from a DNS that the test holds."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dkim
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from worker.mailbox.dkim_check import MAX_SIGNATURES, DkimResult, LookupFailed, check_dkim, dns_lookup

MAIL = (
    b"From: Loop <loop@fbl.example>\r\nTo: reports@example.org\r\nSubject: Report\r\n"
    b"Date: Wed, 04 Mar 2026 11:00:00 +0000\r\n\r\nSomebody pressed the button.\r\n"
)
KEY = rsa.generate_private_key(65537, 2048)
PRIVATE = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)
RECORD = b"v=DKIM1; k=rsa; p=" + PUBLIC
NAME = "s1._domainkey.fbl.example."


def signed(mail: bytes = MAIL, domain: bytes = b"fbl.example", **options: object) -> bytes:
    headers = [b"from", b"to", b"subject", b"date"]
    field: bytes = dkim.sign(mail, b"s1", domain, PRIVATE, include_headers=headers, **options)
    return field + mail


def keys(**other: bytes) -> dict[str, bytes]:
    return {NAME: RECORD, **other}


def test_a_genuine_signature_names_its_domain() -> None:
    assert check_dkim(signed(), keys().get) == DkimResult(passed=("fbl.example",))


def test_what_was_changed_under_way_fails() -> None:
    for changed in (
        signed().replace(b"pressed", b"Pressed"),
        signed().replace(b"loop@fbl", b"l00p@fbl"),
        b"From: Somebody <else@example.net>\r\n" + signed(),
    ):
        assert check_dkim(changed, keys().get) == DkimResult()


def test_a_mail_without_signature_costs_no_lookup() -> None:
    def look_up(name: str) -> bytes | None:
        raise AssertionError(name)

    assert check_dkim(MAIL, look_up) == DkimResult()


def test_each_signature_counts_by_itself() -> None:
    twice = signed(signed(), b"other.example")
    assert check_dkim(twice, keys().get).passed == ("fbl.example",)
    both = keys(**{"s1._domainkey.other.example.": RECORD})
    assert set(check_dkim(twice, both.get).passed) == {"fbl.example", "other.example"}


def test_a_signature_whose_key_is_missing_or_unusable_does_not_pass() -> None:
    for record in (None, b"", b"v=DKIM1; p=", b"hello", b"v=DKIM1; k=rsa; p=AAAA", b"\xff\x00"):
        assert check_dkim(signed(), dict.fromkeys([NAME], record).get) == DkimResult()


def test_a_key_that_cannot_be_looked_up_now_is_no_answer() -> None:
    def look_up(name: str) -> bytes | None:
        raise LookupFailed(f"{name} cannot be looked up now")

    result = check_dkim(signed(), look_up)
    assert result.passed == ()
    assert NAME in result.undecided


def test_a_signature_over_the_beginning_of_the_body_is_not_believed() -> None:
    partly = signed(length=True)
    assert b" l=" in partly
    assert check_dkim(partly + b"and what somebody appended\r\n", keys().get) == DkimResult()


def test_a_signature_by_sha1_is_not_believed() -> None:
    weak = signed(signature_algorithm=b"rsa-sha1")
    assert b"a=rsa-sha1" in weak
    assert check_dkim(weak, keys().get) == DkimResult()  # RFC 8301, 3.1


def test_a_mail_with_countless_signatures_costs_a_few_lookups() -> None:
    asked: list[str] = []

    def look_up(name: str) -> bytes | None:
        asked.append(name)
        return None

    mail = MAIL
    for number in range(MAX_SIGNATURES + 10):
        mail = signed(domain=f"d{number}.example".encode())[: -len(MAIL)] + mail
    check_dkim(mail, look_up)
    assert len(asked) == MAX_SIGNATURES


@pytest.mark.parametrize(
    "mail",
    [
        b"",
        b"DKIM-Signature: \r\n\r\n",
        b"DKIM-Signature: v=1; d=; s=; b=!\r\nFrom: a@b\r\n\r\nx",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=\xff.example; s=s; h=from; bh=eA==; b=eA==\r\nFrom: a@b\r\n\r\nx",
        b"no header at all",
        b"\x00\xff",
    ],
)
def test_nothing_that_a_stranger_writes_ends_in_an_error(mail: bytes) -> None:
    assert check_dkim(mail, keys().get).passed == ()


# ── the DNS itself ──────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def dns_server(rcode: dns.rcode.Rcode | None) -> Iterator[int]:
    """A DNS server for TXT questions: it answers with the key or with this code; with None it is silent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    wire, client = udp.recvfrom(4_096)
                except TimeoutError:
                    continue
                question = dns.message.from_wire(wire)
                answer = dns.message.make_response(question)
                if rcode is None:
                    continue
                answer.set_rcode(rcode)
                if rcode is dns.rcode.NOERROR:
                    name = question.question[0].name
                    texts = " ".join(
                        f'"{RECORD[start : start + 200].decode()}"' for start in range(0, len(RECORD), 200)
                    )
                    answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", texts))
                udp.sendto(answer.to_wire(), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield udp.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def use_resolver(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = port
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)


def test_a_key_comes_from_the_dns_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    with dns_server(dns.rcode.NOERROR) as port:
        use_resolver(monkeypatch, port)
        assert dns_lookup(5)(NAME) == RECORD
        assert check_dkim(signed(), dns_lookup(5)).passed == ("fbl.example",)


def test_a_name_that_does_not_exist_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with dns_server(dns.rcode.NXDOMAIN) as port:
        use_resolver(monkeypatch, port)
        assert dns_lookup(5)(NAME) is None
        assert dns_lookup(5)("a..b" + "x" * 300) is None


@pytest.mark.parametrize("rcode", [None, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_dns_that_is_silent_or_troubled_has_not_answered(
    monkeypatch: pytest.MonkeyPatch, rcode: dns.rcode.Rcode | None
) -> None:
    with dns_server(rcode) as port:
        use_resolver(monkeypatch, port)
        with pytest.raises(LookupFailed, match="cannot be looked up now"):
            dns_lookup(0.5)(NAME)
        assert check_dkim(signed(), dns_lookup(0.5)).undecided
