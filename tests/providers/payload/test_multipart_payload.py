"""Forms with parts: each part keeps its bytes, and what is no form says so."""

import pytest

from worker.errors import UnreadablePayload
from worker.providers.payload.multipart_payload import PARTS_LIMIT, decode_any_form, pick_any_form_pairs

MULTIPART = "multipart/form-data; boundary=xYzZY"


def form(*fields: tuple[str, bytes]) -> bytes:
    parts = [b'--xYzZY\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (n.encode(), v) for n, v in fields]
    return b"".join(parts) + b"--xYzZY--\r\n"


def test_a_part_keeps_every_byte_of_what_stands_in_it() -> None:
    mail = b"From: a@b\r\n\r\nh\xe9llo \x00\r\n\r\n"
    assert decode_any_form(form(("email", mail), ("dkim", b"{}")), MULTIPART, "form") == {"email": mail, "dkim": b"{}"}


def test_an_urlencoded_form_is_read_alike() -> None:
    content_type = "application/x-www-form-urlencoded; charset=utf-8"
    assert decode_any_form(b"body-mime=a%0D%0A%E9+b&x=1", content_type, "form") == {
        "body-mime": b"a\r\n\xe9 b",
        "x": b"1",
    }


def test_a_part_with_a_file_name_counts_by_its_field_name() -> None:
    body = (
        b'--xYzZY\r\nContent-Disposition: form-data; name="email"; filename="m.eml"\r\n'
        b"Content-Type: message/rfc822\r\n\r\nhello\r\n--xYzZY--\r\n"
    )
    assert decode_any_form(body, MULTIPART, "form") == {"email": b"hello"}


@pytest.mark.parametrize(
    "body", [b"", b"--xYzZY\r\n", form(("a", b"b"))[:-9], b"hello", form(*[("a", b"b")] * (PARTS_LIMIT + 1))]
)
def test_a_broken_or_endless_form_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadablePayload, match="form cannot be read"):
        decode_any_form(body, MULTIPART, "Pigeon form")


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", "multipart/form-data; x"])
def test_what_is_no_form_says_what_it_is(content_type: str) -> None:
    with pytest.raises(UnreadablePayload, match="expected a form"):
        decode_any_form(b"a=b", content_type, "Pigeon form")


def test_parts_are_picked_by_name_and_no_other_is_kept() -> None:
    body = form(("token", b"one"), ("body-mime", b"mail"), ("token", b"two"))
    assert pick_any_form_pairs(body, MULTIPART, "form", ("token",)) == [("token", b"one"), ("token", b"two")]
