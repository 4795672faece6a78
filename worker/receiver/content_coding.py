"""Decompresses bodies (content codings, RFC 9110, 8.4.1) piece by piece, so that a decompression bomb is cut off."""

import zlib

from worker.providers.verdict import Refused

UNKNOWN_CODING = "unknown_encoding"  # the reason of a refusal
KNOWN_CODINGS = "gzip, deflate"
TOO_LARGE = "decompressed_too_large"  # the reason of a refusal

# Deflate expands a byte to up to 1032. Events resemble each other, and shrink to a twentieth or a fiftieth; a body that
# expands further was made to do so. It would make us decompress a thousand bytes for each that a stranger sends.
MAX_RATIO = 100
# Any body may expand to this size, however small it is: a series of equal events shrinks further than a long body does.
ANY_RATIO_BYTES = 256 * 1024

_PIECE_BYTES = 256 * 1024
# zlib copies everything behind a member, so a body of thousands of empty members would cost hours.
_MAX_MEMBERS = 16
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_ZLIB_WINDOW = zlib.MAX_WBITS
_RAW_WINDOW = -zlib.MAX_WBITS


def is_plain(coding: str) -> bool:
    """True for a Content-Encoding that changes nothing."""
    return coding.strip().lower() in {"", "identity"}


def decompressed_limit(compressed_bytes: int, *, max_bytes: int) -> int:
    """The limit for a compressed body of this size, decompressed."""
    return min(max_bytes, max(ANY_RATIO_BYTES, MAX_RATIO * compressed_bytes))


def is_ratio_limit(compressed_bytes: int, max_bytes: int) -> bool:
    """True if the ratio limits a body of this size, rather than `max_bytes`."""
    return decompressed_limit(compressed_bytes, max_bytes=max_bytes) < max_bytes


def decompress(raw: bytes, coding: str, *, max_bytes: int) -> bytes | Refused:
    """The decompressed body; or why it is refused: its coding is unknown, or it is too large or damaged.

    Takes up to five milliseconds for each MiB of the result, nearly all of it without Python's global lock.
    """
    name = coding.strip().lower()
    if is_plain(name):
        return raw
    if name in {"gzip", "x-gzip"}:
        window = _GZIP_WINDOW
    elif name == "deflate":
        # RFC 9110 means zlib's format. Some senders leave out its two header bytes.
        window = _ZLIB_WINDOW if _has_zlib_header(raw) else _RAW_WINDOW
    else:
        return Refused(
            reason=UNKNOWN_CODING,
            detail=f"Content-Encoding {coding[:40]!r} is not supported, only {KNOWN_CODINGS}: switch the vendor's "
            "compression off or to gzip",
            http_status=415,
        )
    body = _inflate(raw, window, decompressed_limit(len(raw), max_bytes=max_bytes))
    return _bomb(len(raw), max_bytes) if body is None else body


def _has_zlib_header(raw: bytes) -> bool:
    return len(raw) >= 2 and raw[0] & 0x0F == zlib.DEFLATED and int.from_bytes(raw[:2]) % 31 == 0  # noqa: PLR2004 - RFC 1950


def _inflate(raw: bytes, window: int, max_bytes: int) -> bytes | Refused | None:
    """The decompressed bytes; None if they are more than `max_bytes`."""
    pieces: list[bytes] = []
    size = 0
    rest, place = b"", 0
    try:
        # A gzip body may be several members in a row (RFC 1952, section 2.2).
        for _ in range(_MAX_MEMBERS):
            inflater = zlib.decompressobj(window)
            while not inflater.eof:
                if not rest:
                    rest, place = raw[place : place + _PIECE_BYTES], place + _PIECE_BYTES
                piece = inflater.decompress(rest, _PIECE_BYTES)
                size += len(piece)
                if size > max_bytes:
                    return None
                if not piece and not rest:
                    return _damaged("it ends too early")
                rest = inflater.unconsumed_tail
                pieces.append(piece)
            rest = inflater.unused_data
            if not rest and place >= len(raw):
                return b"".join(pieces)
            if window != _GZIP_WINDOW:
                return _damaged("something follows its end")
    except zlib.error as error:
        return _damaged(str(error))
    return _damaged(f"it has more than {_MAX_MEMBERS} gzip members")


def _bomb(compressed_bytes: int, max_bytes: int) -> Refused:
    if is_ratio_limit(compressed_bytes, max_bytes):
        return Refused(
            reason=TOO_LARGE,
            detail=f"the compressed body of {compressed_bytes} bytes expands to more than {MAX_RATIO} times its size, "
            "as events never do: if it is genuine, let its sender compress less, or not at all",
            http_status=413,
            remedy=f"A compressed body may expand to {MAX_RATIO} times its size: send it with less compression, or "
            "none.",
        )
    return Refused(
        reason=TOO_LARGE,
        detail=f"the compressed body expands to more than {max_bytes} bytes: lower the vendor's batch size, or "
        "raise max_decompressed_bytes",
        http_status=413,
        remedy=f"Send smaller batches: a compressed body may expand to {max_bytes} bytes.",
    )


def _damaged(why: str) -> Refused:
    return Refused(
        reason="damaged_encoding",
        detail=f"the compressed body cannot be decompressed ({why}): the vendor sends it again",
        http_status=400,
    )
