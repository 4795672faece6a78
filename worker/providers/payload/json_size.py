"""Limits the number of values in a JSON text without decoding it.

Two bytes of JSON can become a Python object of eighty, so a body within its limit of bytes can take all memory. So the
marks that begin a value are counted first: commas and opening brackets outside of texts.
"""

from worker.errors import UnreadablePayload

_MARKS = (b",", b"[", b"{")
_WINDOW_BYTES = 64 * 1024


def check_values(body: bytes, what: str, *, most: int) -> None:
    """Raises UnreadablePayload, in which `what` names the body, if its JSON has more than `most` values.

    Costs nothing for a body of up to `most` bytes, otherwise about a millisecond per MiB.
    """
    if len(body) > most and _count(body) > most and count_values(body, stop_above=most) > most:
        raise UnreadablePayload(f"{what}: it holds more than {most:,} values, and no vendor sends so many at once")


def count_values(body: bytes, *, stop_above: int) -> int:
    """The number of marks outside of texts, which is at least the number of values less one.

    Stops counting soon after `stop_above`.
    """
    count, in_text, begin = 0, False, 0
    while begin < len(body) and count <= stop_above:
        end = begin + _WINDOW_BYTES
        window = body[begin:end]
        backslashes = len(window) - len(window.rstrip(b"\\"))
        if backslashes % 2:  # the window ends within an escape
            window, end = body[begin : end + 1], end + 1
        if b"\\" in window:
            window = window.replace(b"\\\\", b"").replace(b'\\"', b"")
        pieces = window.split(b'"')
        count += _count(b"".join(pieces[in_text::2]))
        in_text ^= len(pieces) % 2 == 0
        begin = end
    return count


def _count(text: bytes) -> int:
    return sum(text.count(mark) for mark in _MARKS)
