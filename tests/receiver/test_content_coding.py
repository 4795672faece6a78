"""Whatever arrives as a compressed body: it is its plain text, or refused, and never more than the limit."""

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from worker.providers.verdict import Refused
from worker.receiver.content_coding import decompress

_LIMIT = 50_000


@given(st.binary(max_size=20_000))
def test_what_was_compressed_comes_back(body: bytes) -> None:
    assert decompress(gzip.compress(body), "gzip", max_bytes=_LIMIT) == body
    assert decompress(zlib.compress(body), "deflate", max_bytes=_LIMIT) == body


@given(st.binary(max_size=2_000), st.sampled_from(["gzip", "deflate"]))
def test_nonsense_is_refused_or_stays_within_the_limit(body: bytes, coding: str) -> None:
    decoded = decompress(body, coding, max_bytes=_LIMIT)
    assert isinstance(decoded, Refused) or len(decoded) <= _LIMIT


@given(st.binary(min_size=1, max_size=2_000), st.data())
def test_a_body_cut_short_is_refused(body: bytes, data: st.DataObject) -> None:
    compressed = gzip.compress(body)
    cut = data.draw(st.integers(0, len(compressed) - 1))
    decoded = decompress(compressed[:cut], "gzip", max_bytes=_LIMIT)
    assert isinstance(decoded, Refused)
    assert decoded.http_status == 400


def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() -> None:
    for size, passes in ((_LIMIT, True), (_LIMIT + 1, False)):
        decoded = decompress(gzip.compress(b"x" * size), "gzip", max_bytes=_LIMIT)
        assert isinstance(decoded, bytes) is passes
