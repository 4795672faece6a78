"""One spelling for each address, so that a block and a look-up always meet."""

import re
import unicodedata

import idna

from schemas.vocabulary import Channel

MAX_ADDRESS_BYTES = 320

_PLAIN = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9][a-z0-9.-]{0,252}[a-z0-9]\Z")
_BETWEEN_DIGITS = re.compile(r"[\s().\-]")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_WITHIN_TEXT = re.compile(r"[^\s<>\"'`,;:()\[\]]+@[^\s<>\"'`,;:()\[\]]+")
# Seven digits and more, however they are grouped: dates go too, which is the safe side.
_DIGITS_WITHIN_TEXT = re.compile(r"\+?\(?[0-9](?:[\s().\-/]{0,3}[0-9]){6,}")
_DISPLAY_NAME = re.compile(r"<([^<>]+)>\s*\Z")


def normalise_address(address: str) -> str | None:
    """The address in its one spelling, or None when it is no e-mail address.

    Lower case throughout (no server that matters tells `Jane@` from `jane@`), an internationalised domain as
    A-labels (IDNA 2008, RFC 5891), accents composed, a display name and angle brackets removed. Tags (`+x`) and
    dots are kept: they are different mailboxes at most providers.
    """
    lowered = address.lower()
    if _PLAIN.match(lowered) and ".." not in lowered and ".@" not in lowered and lowered[0] != ".":
        return lowered
    return _normalise_slowly(address)


def normalise_phone_number(number: str) -> str | None:
    """The number in E.164 (`+491701234567`), or None when it is none.

    Blanks, hyphens, dots and brackets between the digits go, and so does the prefix of a messaging channel
    (`whatsapp:`). A number without its country is not guessed at.
    """
    digits = _BETWEEN_DIGITS.sub("", number.rpartition(":")[2])
    return digits if _E164.fullmatch(digits) else None


def normalise_recipient(recipient: str, channel: Channel) -> str | None:
    """An address of channel `email` or a number of `sms` in its one spelling; None when it is no such thing."""
    return normalise_address(recipient) if channel is Channel.EMAIL else normalise_phone_number(recipient)


def _normalise_slowly(address: str) -> str | None:
    text = address.replace("\x00", "").strip()
    if named := _DISPLAY_NAME.search(text):
        text = named.group(1).strip()
    local, at, domain = text.rpartition("@")
    domain = domain.lower().rstrip(".")
    if not at or not local or not domain:
        return None
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            return None
    # A letter with an accent can be written as one sign or as two; both are the same mailbox (RFC 6532, 3.1).
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
    normalised = f"{local}@{domain}"
    if any(character.isspace() or not character.isprintable() for character in normalised):
        return None
    if len(normalised.encode("utf-8", "surrogatepass")) > MAX_ADDRESS_BYTES:
        return None
    return normalised


def mask_address(address: str) -> str:
    """The address with its local part hidden, for logs: `j***@example.org`; a number as `+49***67`."""
    local, at, domain = address.rpartition("@")
    if not at:
        return f"{address[:3]}***{address[-2:]}" if _E164.fullmatch(address) else "***"
    return f"{local[:1]}***@{domain}"


def mask_addresses(text: str) -> str:
    """The text with each address in it as `mask_address` shows it, and `***` for what may be a telephone number."""
    masked = _WITHIN_TEXT.sub(lambda found: mask_address(found.group()), text)
    return _DIGITS_WITHIN_TEXT.sub("***", masked)
