"""Each address has one spelling, so that a look-up always finds its block."""

import re
import unicodedata

import idna

from schemas.vocabulary import Channel

MAX_ADDRESS_BYTES = 320
_LONGEST_TEXT = 2_000  # characters around and in an address

_PLAIN = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9][a-z0-9.-]{0,252}[a-z0-9]\Z")
_BETWEEN_DIGITS = re.compile(r"[\s().\-]")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# The part before the @ may stand in quotes and hold spaces then: up to the 64 characters of RFC 5321, 4.5.3.1.
# Words have no @ in their pattern: it would be looked for from each character of a long text to its end. They are
# possessive and all else is bounded, for the same reason. The characters ' and ` may be part of an address.
_WORD = r"[^\s<>\",;:()\[\]]++"
_REMARK = r"\([^()]{0,200}\)"  # a comment beside the @
_HOST = rf"(?:{_WORD}|\[[^\]\s]{{1,64}}\])"
_WITHIN_TEXT = re.compile(
    rf"\"(?:[^\"\\]|\\.){{1,64}}\"(?:{_REMARK})?@(?:{_REMARK})?{_HOST}"
    rf"|{_WORD}(?:(?:{_REMARK}@|(?<=@))(?:{_REMARK})?{_HOST})?",
    re.DOTALL,
)
# Seven digits and more, however they are grouped. Dates are hidden too, which is the safe side.
_DIGITS_WITHIN_TEXT = re.compile(r"\+?\(?[0-9](?:[\s().\-/]{0,3}[0-9]){6,}")
_IN_BRACKETS = re.compile(r"<([^<>]*)>?\s*\Z")
# RFC 5321, 4.1.2: quotes may hold every printable character, each with a backslash before it.
_QUOTED_LOCAL = re.compile(r'"((?:[^"\\]|\\.)*)"(?=@)')
_COMMENT = re.compile(r"\([^()]*\)")  # RFC 5322, 3.2.2
# RFC 5322's atext, with letters of all alphabets (RFC 6531) and dots wherever some servers had them.
_ATOMS = re.compile(r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,\"]+")
_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_DOMAIN_LITERAL = re.compile(r"\[(?:[0-9.]{7,15}|ipv6:[0-9a-f:.]{2,45})\]")
_TRAILING = " \t;,>'"


def normalise_address(address: str) -> str | None:
    """The address in its one spelling, or None if the text is not exactly one e-mail address.

    Lower case throughout (no server that matters tells `Jane@` from `jane@`), an internationalised domain as
    A-labels (IDNA 2008, RFC 5891), accents composed. A display name, brackets, comments, `mailto:` and a trailing
    comma or semicolon are removed, and so are quotes that the local part does not need (RFC 5321, 4.1.2). Tags (`+x`)
    and dots are kept: they are different mailboxes at most providers.
    """
    lowered = address.lower()
    if _PLAIN.match(lowered) and ".." not in lowered and ".@" not in lowered and lowered[0] != ".":
        return lowered
    return _normalise_slowly(address)


def normalise_phone_number(number: str) -> str | None:
    """The phone number in E.164 (`+491701234567`), or None if the text is not one.

    Spaces, hyphens, dots and brackets between the digits are removed, and so is the prefix of a messaging channel
    (`whatsapp:`). A number without its country gives None.
    """
    digits = _BETWEEN_DIGITS.sub("", number.rpartition(":")[2])
    return digits if _E164.fullmatch(digits) else None


def normalise_recipient(recipient: str, channel: Channel) -> str | None:
    """An address of channel `email` or a phone number of `sms` in its one spelling, or None if the text is neither."""
    return normalise_address(recipient) if channel is Channel.EMAIL else normalise_phone_number(recipient)


def _normalise_slowly(address: str) -> str | None:
    if len(address) > _LONGEST_TEXT:
        return None
    local, domain = _parts(address.replace("\x00", ""))
    if local is None or domain is None:
        return None
    # A letter with an accent can be one code point or two; both are the same mailbox (RFC 6532, 3.1).
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
    # Whoever decoded the text wrote U+FFFD for bytes that he could not read: nobody knows whose mailbox it is.
    if not local.isprintable() or "\ufffd" in local:
        return None
    if not _ATOMS.fullmatch(local):
        escaped = local.replace("\\", "\\\\").replace('"', '\\"')
        local = f'"{escaped}"'
    normalised = f"{local}@{domain}"
    if len(normalised.encode("utf-8", "surrogatepass")) > MAX_ADDRESS_BYTES:
        return None
    return normalised


def _parts(text: str) -> tuple[str | None, str | None]:
    """The local part without quotes, and the domain; None for a part that is not valid."""
    text = text.strip()
    quoted = _QUOTED_LOCAL.search(text)
    if quoted is None or text[: quoted.start()].count('"') % 2:
        quoted = None
        text = _COMMENT.sub("", text)
        if named := _IN_BRACKETS.search(text):
            if "<" in text[: named.start()]:
                return None, None
            text = named.group(1)
    elif not _may_stand_before(text[: quoted.start()]):
        return None, None
    text = text.strip().strip(_TRAILING) if quoted is None else text.rstrip(_TRAILING)
    if quoted is None and text[:7].lower() == "mailto:":
        text = text[7:].partition("?")[0]
    if quoted is not None:
        local: str | None = re.sub(r"\\(.)", r"\1", quoted.group(1))
        domain_text = _COMMENT.sub("", text[quoted.end() + 1 :])
    else:
        local, at, domain_text = text.rpartition("@")
        local = local.strip()
        if not at or not _ATOMS.fullmatch(local):
            return None, None
    return local or None, _domain(domain_text)


def _may_stand_before(text: str) -> bool:
    """True if the text may precede an address: nothing, `mailto:`, or a display name and a bracket."""
    text = text.strip().lower()
    return text in {"", "mailto:", "<"} or (text.endswith("<") and "@" not in text)


def _domain(text: str) -> str | None:
    domain = text.strip().strip(_TRAILING).lower().rstrip(".")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            return None
    return domain if _DOMAIN.fullmatch(domain) or _DOMAIN_LITERAL.fullmatch(domain) else None


def mask_address(address: str) -> str:
    """The address with its local part hidden, for logs: `j***@example.org`; a phone number as `+49***67`."""
    local, at, domain = address.rpartition("@")
    if not at:
        return f"{address[:3]}***{address[-2:]}" if _E164.fullmatch(address) else "***"
    return f"{local[:1]}***@{domain}"


def mask_addresses(text: str) -> str:
    """The text with each address masked by `mask_address`, and `***` for anything like a phone number."""
    masked = _WITHIN_TEXT.sub(_mask_word, text)
    return _DIGITS_WITHIN_TEXT.sub("***", masked)


def _mask_word(match: re.Match[str]) -> str:
    word = match.group()
    address = word.strip("'`")
    if "@" not in address[1:-1]:
        return word
    before, _, after = word.partition(address)
    return f"{before}{mask_address(address)}{after}"
