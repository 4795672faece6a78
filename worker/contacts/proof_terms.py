"""Checks proofs of consent: a proof is kept for the day on which somebody doubts it, and must show something then."""

from datetime import datetime
from ipaddress import IPv6Address, ip_address

from schemas.decision import ConsentProof
from schemas.decision_request import MOST_TEXT_CHARACTERS
from worker.contacts.request_text import require_text
from worker.contacts.request_time import require_no_later_than_now
from worker.errors import RequestRefused

_SHOWN_CHARACTERS = 40
_ADDRESS_EXAMPLES = "203.0.113.7 or 2001:db8::7"


def require_sound_proof(kind: str, proof: ConsentProof) -> None:
    """Returns if the proof names something, and nothing impossible. Raises RequestRefused of this kind."""
    for name, text in (
        ("proof.source", proof.source),
        ("proof.form", proof.form),
        ("proof.ip_address", proof.ip_address),
    ):
        require_text(kind, name, text, MOST_TEXT_CHARACTERS)
        if text and not text.strip():
            raise RequestRefused(kind, f"`{name}` is blank.", remedy="Say what it was, or leave it out.")
    if not proof.source and not proof.form:
        raise RequestRefused(
            kind,
            "`proof.source` is missing: a proof that names neither source nor form shows nothing.",
            remedy="Name the site, the campaign or the paper; or leave `proof` out.",
        )
    if proof.ip_address:
        _require_possible_address(kind, proof.ip_address)


def require_timely_proof(kind: str, proof: ConsentProof, now: datetime) -> None:
    """Returns if the consent was collected before now. Raises RequestRefused of this kind."""
    if proof.collected_at is not None:
        remedy = "Say when the person agreed."
        require_no_later_than_now(kind, "proof.collected_at", proof.collected_at, now, remedy=remedy)


def _require_possible_address(kind: str, text: str) -> None:
    excerpt = text[:_SHOWN_CHARACTERS]
    try:
        address = ip_address(text)
    except ValueError:
        raise RequestRefused(
            kind,
            f"`proof.ip_address` is {excerpt!r}, which is not an IP address.",
            remedy=f"Send one such as {_ADDRESS_EXAMPLES}, or leave it out.",
        ) from None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if (
        address.is_unspecified
        or address.is_multicast
        or address.is_loopback
        or address.is_link_local
        or address.is_reserved  # 255.255.255.255 is one of these
    ):
        raise RequestRefused(
            kind,
            f"`proof.ip_address` is {excerpt}, which nobody can fill in a form from over a network.",
            remedy="Send the person's address, not that of your proxy or server; or leave it out.",
        )
