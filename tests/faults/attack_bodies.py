"""Bodies made to cost much, of a given size: what a stranger might post, or an authentic sender gone mad."""

import json
from collections.abc import Callable, Iterator
from urllib.parse import quote_from_bytes

from worker.providers.webhook_request import WebhookRequest

BOUNDARY = "xYzZy"
FORM = "application/x-www-form-urlencoded"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
_DEEP = 50_000


def _filled(size: int, piece: bytes, begin: bytes, end: bytes) -> bytes:
    """As many pieces as fit, with commas between."""
    count = max(1, (size - len(begin) - len(end)) // (len(piece) + 1))
    return begin + (piece + b",") * (count - 1) + piece + end


def _many_keys(size: int) -> bytes:
    count = max(1, size // 9)
    return b"{" + b",".join(b'"%05x":0' % number for number in range(count))[: size - 20].rpartition(b",")[0] + b"}"


# JSON values.
JSON_VALUES: dict[str, Callable[[int], bytes]] = {
    "zeros": lambda size: _filled(size, b"0", b"[", b"]"),
    "empty lists": lambda size: _filled(size, b"[]", b"[", b"]"),
    "empty objects": lambda size: _filled(size, b"{}", b"[", b"]"),
    "small objects": lambda size: _filled(size, b'{"":0}', b"[", b"]"),
    "empty texts": lambda size: _filled(size, b'""', b"[", b"]"),
    "floats": lambda size: _filled(size, b"1.7e300", b"[", b"]"),
    "many keys": _many_keys,
    "a long text": lambda size: b'"' + b"a" * (size - 2) + b'"',
    "a text of escapes": lambda size: b'"' + b"\\u00e9" * ((size - 2) // 6) + b'"',
    "a text with an emoji": lambda size: b'"' + b"a" * (size - 6) + "😀".encode() + b'"',
    "a text of commas": lambda size: b'"' + b"," * (size - 2) + b'"',
    "deep in parts": lambda size: _filled(size, b"[" * 500 + b"]" * 500, b"[", b"]"),
}

# Forms; each begins with a field of its own.
FORMS: dict[str, Callable[[int], bytes]] = {
    "a million fields": lambda size: b"a=1&" * (size // 4),
    "999 fields of escapes": lambda size: (b"b=" + b"%41" * ((size // 999 - 3) // 3) + b"&") * 999,
    "a field of escapes": lambda size: b"b=" + b"%41" * ((size - 2) // 3),
    "a field of percent signs": lambda size: b"b=" + b"%" * (size - 2),
    "a field of equals signs": lambda size: b"b=" + b"=" * (size - 2),
    "a field of no letters": lambda size: b"b=" + b"%ff" * ((size - 2) // 3),
    "a long name": lambda size: b"%41" * (size // 3),
}


def _part(name: str, content: bytes, *more: bytes) -> bytes:
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n' % (BOUNDARY.encode(), name.encode())
    return head + b"".join(line + b"\r\n" for line in more) + b"\r\n" + content + b"\r\n"


def _closed(parts: bytes) -> bytes:
    return parts + b"--%s--\r\n" % BOUNDARY.encode()


MULTIPARTS: dict[str, Callable[[int], bytes]] = {
    "a million parts": lambda size: _closed(_part("a", b"") * (size // len(_part("a", b"")))),
    "199 parts": lambda size: _closed(_part("a", b"x" * (size // 199 - 80)) * 199),
    "a long part": lambda size: _closed(_part("body-mime", b"x" * (size - 200))),
    "nearly boundaries": lambda size: _closed(_part("body-mime", b"\r\n--xYzZ" * ((size - 200) // len(b"\r\n--xYzZ")))),
    "a million header lines": lambda size: _closed(_part("a", b"", *[b"A: b"] * ((size - 200) // 6))),
}


def unproven(request: WebhookRequest, size: int) -> Iterator[tuple[str, str, bytes]]:
    """Names, content types and bodies of about this size, each as near to this genuine request as it can be.

    What tells a vendor's requests from others still stands in them, but it is not signed.
    """
    content_type = request.headers.get("content-type", "")
    body = request.body
    if body[:1] == b"{":
        for name, make in JSON_VALUES.items():
            room = size - len(body) - 10
            yield f"{name} beside", content_type, b'{"zz":' + make(room) + b"," + body[1:]
        for field in json.loads(body):
            yield f"lists in {field}", content_type, _with_field(body, field, JSON_VALUES["empty lists"], size)
        for field in ("data", "signature", "event-data", "type", "auth"):
            yield (
                f"lists in {field}",
                "application/json",
                b'{"%s":%s}'
                % (
                    field.encode(),
                    JSON_VALUES["empty lists"](size - 20),
                ),
            )
    for name, make in JSON_VALUES.items():
        yield name, "application/json", make(size)
    if not content_type.startswith("multipart"):
        for name, make in FORMS.items():
            yield name, FORM, make(size)
            if content_type.startswith(FORM):
                yield f"{name} beside", content_type, body + b"&" + make(size - len(body) - 1)
    for name, make in MULTIPARTS.items():
        yield name, MULTIPART, make(size)


def _with_field(body: bytes, field: str, make: Callable[[int], bytes], size: int) -> bytes:
    rest = {name: value for name, value in json.loads(body).items() if name != field}
    written = json.dumps(rest).encode()
    head = b'{"%s":' % field.encode()
    value = make(size - len(written) - len(head) - 2)
    return head + value + (b"," + written[1:] if rest else b"}")


def _header(*lines: bytes) -> bytes:
    return b"\r\n".join([b"From: mailer-daemon@example.org", b"Subject: bounced", *lines]) + b"\r\n"


def _nested(size: int) -> bytes:
    """Parts within parts, each with all that is in the next one."""
    mail = b"Content-Type: text/plain\r\n\r\n" + b"jane@example.org " * ((size - 2_000) // 17)
    for depth in range(12):
        boundary = b"b%d" % depth
        mail = b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n%b\r\n--%b--\r\n' % (
            boundary,
            boundary,
            mail,
            boundary,
        )
    return _header() + mail


def _mails_in_mails(size: int) -> bytes:
    """Many parts, each a mail in a mail in a mail, as long as what is read of a part."""
    text = b"Content-Type: message/rfc822\r\n\r\n" * 12 + b"Subject: a\r\n\r\n"
    text += b"jane@example.org " * ((250_000 - len(text)) // 17)
    head = _header(b'Content-Type: multipart/mixed; boundary="b"') + b"\r\n"
    return head + (b"--b\r\n" + text + b"\r\n") * ((size - len(head)) // (len(text) + 10))


# Raw mails.
MAILS: dict[str, Callable[[int], bytes]] = {
    "a million header lines": lambda size: _header() + b"A: b\r\n" * (size // 6) + b"\r\nhello\r\n",
    "a long header line": lambda size: _header(b"To: " + b"<jane@example.org>, " * (size // 20)) + b"\r\nhello\r\n",
    "a million parts": lambda size: (
        _header(b'Content-Type: multipart/report; boundary="b"') + b"\r\n" + b"--b\r\n\r\n\r\n" * (size // 9)
    ),
    "nested parts": _nested,
    "mails in mails": _mails_in_mails,
    "a million recipients": lambda size: (
        _header(b'Content-Type: multipart/report; boundary="b"')
        + b"\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n"
        + b"\r\nFinal-Recipient: rfc822; jane@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n" * (size // 78)
    ),
    "a long text": lambda size: _header() + b"\r\n" + b"550 5.1.1 <jane@example.org> unknown\r\n" * (size // 38),
    "a page of tags": lambda size: _header(b"Content-Type: text/html") + b"\r\n" + b"<p><style>" * (size // 10),
    "quoted-printable": lambda size: (
        _header(b"Content-Transfer-Encoding: quoted-printable") + b"\r\n" + b"=41" * (size // 3)
    ),
    "base64": lambda size: _header(b"Content-Transfer-Encoding: base64") + b"\r\n" + b"QUFB" * (size // 4),
}


def authentic(request: WebhookRequest, size: int) -> Iterator[tuple[str, str, bytes]]:
    """Names, content types and bodies of the sort that this sender posts: only who has its secret gets them parsed."""
    content_type, body = request.headers.get("content-type", ""), request.body
    for name, batch in _batches(body, size):
        yield name, content_type, batch
    if body[:1] in {b"{", b"["}:
        for name, make in JSON_VALUES.items():
            yield name, content_type, make(size)
            if body.startswith(b"{"):
                yield f"{name} beside", content_type, b'{"zz":' + make(size - len(body) - 10) + b"," + body[1:]
    elif content_type.startswith(FORM):
        for name, make in FORMS.items():
            yield name, content_type, make(size)
            yield f"{name} beside", content_type, body + b"&" + make(size - len(body) - 1)
    elif content_type.startswith("multipart"):
        for name, make in MULTIPARTS.items():
            yield name, MULTIPART, make(size)
    yield from _mails(request, size)


def _mails(request: WebhookRequest, size: int) -> Iterator[tuple[str, str, bytes]]:
    """Mails, where this sender's webhooks hold one."""
    content_type, body = request.headers.get("content-type", ""), request.body
    held_in = [field for field in ("RawEmail", "Message") if body.startswith(b"{") and field.encode() in body]
    for name, make in MAILS.items():
        if content_type.startswith("message/"):
            yield f"a mail of {name}", content_type, make(size)
        if content_type.startswith("multipart"):
            for field in ("email", "body-mime"):
                yield f"a form's mail of {name}", MULTIPART, _closed(_part(field, make(size - 200)))
        if content_type.startswith(FORM):
            yield f"a form's mail of {name}", FORM, b"body-mime=" + quote_from_bytes(make(size // 3), safe="").encode()
        for field in held_in:
            text = json.dumps(make(size * 9 // 10).decode("latin-1")).encode()
            yield f"a mail of {name} in {field}", content_type, _replaced(body, field, text)


def _batches(body: bytes, size: int) -> Iterator[tuple[str, bytes]]:
    """Events in their thousands, and one that is monstrous among others that are not."""
    for opening, closing in ((b"[", b"]"), (b'{"events":[', b"]}")):
        if body.startswith(opening):
            element = body.strip()[len(opening) : -len(closing)]
            yield "a million events", _filled(size, element, opening, closing)
            for name, make in JSON_VALUES.items():
                attack = make(size - len(body) - 20)
                yield f"{name} as an event", opening + attack + b"," + element + closing
                within = b'{"zz":%b,%b' % (attack, element[1:])
                yield f"{name} in an event", opening + element + b"," + within + closing
    if body.startswith(b"{"):
        line = body.replace(b"\n", b"")
        yield "a million lines", (line + b"\n") * (size // (len(line) + 1))
        yield "a million objects", _filled(size, body, b"[", b"]")


def _replaced(body: bytes, field: str, value: bytes) -> bytes:
    rest = {name: kept for name, kept in json.loads(body).items() if name != field}
    return b'{"%b":%b,%b' % (field.encode(), value, json.dumps(rest).encode()[1:])
