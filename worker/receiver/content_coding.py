"""Content codings (RFC 9110, section 8.4.1) removed piece by piece, so that a bomb never unfolds."""

import zlib

from worker.providers.verdict import Refused

KNOWN_CODINGS = "gzip, deflate"
TOO_LARGE = "decompressed_too_large"  # the reason of a refusal

# Deflate makes up to 1032 bytes of one. Events are much alike, and shrink to a twentieth or a fiftieth; what unfolds
# further than this was made to do so. It would let a stranger have a thousand bytes unfolded for each that he sends.
MAX_RATIO = 100
# So much may come of a body however small it is: a row of like events shrinks further than a long body does.
ANY_RATIO_BYTES = 256 * 1024

_PIECE_BYTES = 256 * 1024
# zlib copies all that follows a member, so a body of thousands of empty ones would cost hours.
_MAX_MEMBERS = 16
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_ZLIB_WINDOW = zlib.MAX_WBITS
_RAW_WINDOW = -zlib.MAX_WBITS


def is_plain(coding: str) -> bool:
    """True for a Content-Encoding that changes nothing."""
    return coding.strip().lower() in {"", "identity"}


def most_unfolded(compressed_bytes: int, *, max_bytes: int) -> int:
    """What a compressed body of this size may unfold to."""
    return min(max_bytes, max(ANY_RATIO_BYTES, MAX_RATIO * compressed_bytes))


def is_ratio_limit(compressed_bytes: int, max_bytes: int) -> bool:
    """True when it is the ratio and not `max_bytes` that limits a body of this size."""
    return most_unfolded(compressed_bytes, max_bytes=max_bytes) < max_bytes


def unfold(raw: bytes, coding: str, *, max_bytes: int) -> bytes | Refused:
    """The body with its one coding removed; or why it is refused: unknown coding, bomb, damaged.

    Takes up to five milliseconds for each MiB that comes of it, nearly all of it without Python's global lock.
    """
    name = coding.strip().lower()
    if is_plain(name):
        return raw
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
    unfolded = _inflate(raw, window, most_unfolded(len(raw), max_bytes=max_bytes))
    return _bomb(len(raw), max_bytes) if unfolded is None else unfolded


def _has_zlib_header(raw: bytes) -> bool:
    return len(raw) >= 2 and raw[0] & 0x0F == zlib.DEFLATED and int.from_bytes(raw[:2]) % 31 == 0  # noqa: PLR2004 - RFC 1950


def _inflate(raw: bytes, window: int, max_bytes: int) -> bytes | Refused | None:
    """The plain bytes; None when they are more than may be."""
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
            detail=f"the compressed body of {compressed_bytes} bytes unfolds to more than {MAX_RATIO} times its size, "
            "as no events do: where it is genuine, have it sent with less compression, or none",
            http_status=413,
            remedy=f"A compressed body may unfold to {MAX_RATIO} times its size: send it with less compression, or "
            "none.",
        )
    return Refused(
        reason=TOO_LARGE,
        detail=f"the compressed body unfolds to more than {max_bytes} bytes: lower the vendor's batch size, or "
        "raise max_decompressed_bytes",
        http_status=413,
        remedy=f"Send smaller batches: a compressed body may unfold to {max_bytes} bytes.",
    )


def _damaged(why: str) -> Refused:
    return Refused(
        reason="damaged_encoding",
        detail=f"the compressed body cannot be unfolded ({why}): the vendor will send it again",
        http_status=400,
    )
