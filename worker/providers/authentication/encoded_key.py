"""Keys in base64, as operators copy them."""

import base64
import binascii


def decode_key(text: str) -> bytes | None:
    """The key's bytes; None when the text is no base64. Its padding may be missing, and white space slip in."""
    bare = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
