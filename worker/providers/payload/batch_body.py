"""How a vendor puts several events into one body, told once for reading them and for writing them anew."""

from collections.abc import Iterable, Sequence

from msgspec import Raw, Struct

from worker.providers.payload.json_payload import decode_elements

Element = bytes | Raw  # an event as its vendor wrote it


class BatchBody(Struct, frozen=True):
    """A JSON array of objects, where a bare object is an array of one; with more ways as json_payload.decode_elements
    has them: an array in the field `inside` of an object, NDJSON with `lines`.
    """

    what: str  # names the body in errors: "SendGrid webhook"
    inside: str = ""
    lines: bool = False

    def elements(self, body: bytes) -> list[Raw]:
        """Each element's own bytes; raises UnreadablePayload."""
        return decode_elements(body, self.what, inside=self.inside, lines=self.lines)

    def of(self, elements: Sequence[Element]) -> bytes:
        """A body of these elements alone. Lines that are no JSON stay lines, so that none spoils the next."""
        texts = [bytes(element) for element in elements]
        if self.lines and all(text.startswith(b"{") and b"\n" not in text for text in texts):
            return b"\n".join(texts)
        return json_array(texts)


def json_array(elements: Iterable[Element]) -> bytes:
    """The elements as a JSON array."""
    return b"[" + b",".join(bytes(element) for element in elements) + b"]"
