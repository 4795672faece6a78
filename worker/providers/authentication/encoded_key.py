"""Decodes keys in base64, as operators copy them."""

import base64
import binascii


def decode_key(text: str) -> bytes | None:
    """The key's bytes; None if the text is not base64. Padding may be missing, and white space is ignored."""
    bare = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
