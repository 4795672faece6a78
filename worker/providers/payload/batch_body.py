"""How a vendor puts several events into one body, for reading and for writing such bodies."""

from collections.abc import Iterable, Sequence

from msgspec import Raw, Struct

from worker.providers.payload.json_payload import decode_elements

Element = bytes | Raw  # an event as its vendor wrote it


class BatchBody(Struct, frozen=True):
    """A JSON array of objects; a bare object counts as an array of one.

    With `inside`, the array may be in that field of an object; with `lines`, the body may be NDJSON.
    """

    what: str  # the name of the body in errors: "SendGrid webhook"
    inside: str = ""
    lines: bool = False

    def elements(self, body: bytes) -> list[Raw]:
        """The bytes of each element. Raises UnreadablePayload."""
        return decode_elements(body, self.what, inside=self.inside, lines=self.lines)

    def of(self, elements: Sequence[Element]) -> bytes:
        """A body of these elements only. Lines that are not JSON stay lines, so that none spoils the next."""
        texts = [bytes(element) for element in elements]
        if self.lines and all(text.startswith(b"{") and b"\n" not in text for text in texts):
            return b"\n".join(texts)
        return json_array(texts)


def json_array(elements: Iterable[Element]) -> bytes:
    """The elements as a JSON array."""
    return b"[" + b",".join(bytes(element) for element in elements) + b"]"
