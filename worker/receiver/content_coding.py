"""Content codings (RFC 9110, section 8.4.1) removed piece by piece, so that a bomb never unfolds."""

import asyncio
import zlib

from worker.providers.provider import Refused

KNOWN_CODINGS = "gzip, deflate"

# One compressed byte makes at most 1032: what is smaller than this holds the event loop for a few milliseconds
# even when it is a bomb.
_THREAD_FROM_BYTES = 4 * 1024
_PIECE_BYTES = 256 * 1024
# zlib copies all that follows a member, so a body of thousands of empty ones would cost hours.
_MAX_MEMBERS = 16
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_ZLIB_WINDOW = zlib.MAX_WBITS
_RAW_WINDOW = -zlib.MAX_WBITS


def is_plain(coding: str) -> bool:
    """True for a Content-Encoding that changes nothing."""
    return coding.strip().lower() in {"", "identity"}


async def decode_body(raw: bytes, coding: str, *, max_decompressed_bytes: int) -> bytes | Refused:
    """The body with its one coding removed; or why it is refused: unknown coding, bomb, damaged."""
    name = coding.strip().lower()
    if name in {"gzip", "x-gzip"}:
        window = _GZIP_WINDOW
    elif name == "deflate":
        # RFC 9110 means zlib's format; some senders leave its two header bytes out.
        window = _ZLIB_WINDOW if _has_zlib_header(raw) else _RAW_WINDOW
    else:
        return Refused(
            reason="unknown_encoding",
            detail=f"Content-Encoding {coding[:40]!r} is not understood here, only {KNOWN_CODINGS}: switch the "
            "vendor's compression off or to gzip",
            http_status=415,
        )
    if len(raw) < _THREAD_FROM_BYTES:
        return _inflate(raw, window, max_decompressed_bytes)
    return await asyncio.to_thread(_inflate, raw, window, max_decompressed_bytes)


def _has_zlib_header(raw: bytes) -> bool:
    return len(raw) >= 2 and raw[0] & 0x0F == zlib.DEFLATED and int.from_bytes(raw[:2]) % 31 == 0  # noqa: PLR2004 - RFC 1950


def _inflate(raw: bytes, window: int, max_bytes: int) -> bytes | Refused:
    pieces: list[bytes] = []
    size = 0
    rest = raw
    try:
        # A gzip body may be several members in a row (RFC 1952, section 2.2).
        for _ in range(_MAX_MEMBERS):
            inflater = zlib.decompressobj(window)
            while not inflater.eof:
                piece = inflater.decompress(rest, _PIECE_BYTES)
                rest = inflater.unconsumed_tail
                size += len(piece)
                if size > max_bytes:
                    return _bomb(max_bytes)
                if not piece and not rest and not inflater.eof:
                    return _damaged("it ends too early")
                pieces.append(piece)
            rest = inflater.unused_data
            if not rest:
                return b"".join(pieces)
            if window != _GZIP_WINDOW:
                return _damaged("something follows its end")
    except zlib.error as error:
        return _damaged(str(error))
    return _damaged(f"it has more than {_MAX_MEMBERS} gzip members")


def _bomb(max_bytes: int) -> Refused:
    return Refused(
        reason="decompressed_too_large",
        detail=f"the compressed body unfolds to more than {max_bytes} bytes: lower the vendor's batch size, or "
        "raise max_decompressed_bytes",
        http_status=413,
    )


def _damaged(why: str) -> Refused:
    return Refused(
        reason="damaged_encoding",
        detail=f"the compressed body cannot be unfolded ({why}): the vendor will send it again",
        http_status=400,
    )
