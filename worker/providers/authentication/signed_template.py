"""The template of a vendor's signed text: `{id}.{timestamp}.{body}`.

A signature proves bytes, but not where one field ends in them and the next begins. So there must be only one way to
split them: the form of a time shows its end, an id ends at the character that follows it, and the body is the rest.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

BODY, TIMESTAMP, ID = "body", "timestamp", "id"

_FIELD = re.compile(r"\{([^{}]*)\}")


class SignedTemplate(Struct, frozen=True, kw_only=True):
    """The fields and the texts around them; there is one text more than fields."""

    fields: tuple[str, ...]
    texts: tuple[str, ...]

    def filled(self, values: Mapping[str, bytes]) -> bytes | None:
        """The signed bytes; None if an id contains the mark of its end, so that they could be split elsewhere."""
        if any(mark.encode() in values[ID] for mark in self._id_marks()):
            return None
        pieces = [self.texts[0].encode()]
        for field, text in zip(self.fields, self.texts[1:], strict=True):
            pieces += [values[field], text.encode()]
        return b"".join(pieces)

    def problem(self) -> str | None:
        """Why the template proves less than it seems to, with the remedy; None if it is sound."""
        if unknown := set(self.fields) - {BODY, TIMESTAMP, ID}:
            return f"{{{min(unknown)}}} is not known: use {{body}}, {{timestamp}} and {{id}}"
        if BODY not in self.fields:
            return "it leaves out {body}: anybody could change the events"
        if self.fields.count(BODY) > 1:
            return "it has {body} more than once, which no vendor signs"
        if "" in self._id_marks():
            return (
                "nothing marks where {id} ends: whoever has seen one webhook could move its bytes into another field. "
                "Such a signature cannot be relied on: prove this vendor by another scheme"
            )
        return None

    def _id_marks(self) -> list[str]:
        """The character next to each id, on the side of the body, which marks its end; "" if there is none."""
        body = self.fields.index(BODY) if BODY in self.fields else len(self.fields)
        return [
            self.texts[place + 1][:1] if place < body else self.texts[place][-1:]
            for place, field in enumerate(self.fields)
            if field == ID
        ]


@lru_cache(maxsize=64)
def read_template(text: str) -> SignedTemplate:
    """The template in this text."""
    parts = _FIELD.split(text)
    return SignedTemplate(fields=tuple(parts[1::2]), texts=tuple(parts[::2]))
