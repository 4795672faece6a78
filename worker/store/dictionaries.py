"""Vendors' own bytes, compressed by dictionaries that the database keeps, one or more for each provider."""

from collections.abc import Iterable, Mapping, Sequence

import zstandard
from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from worker.store.pool import Connection, Executor, store_errors

WITHOUT_DICTIONARY = 0  # as `dictionary_id`: compressed without a dictionary
MOST_DICTIONARY_BYTES = 16 * 1024
_LEVEL = 3
_MOST_RAW_BYTES = 64 * 1024 * 1024  # no body is larger, so a frame that claims more is not ours

_LATEST = """
    SELECT DISTINCT ON (provider) provider, id, content FROM dictionaries
     WHERE provider = ANY ($1::text[]) ORDER BY provider, version DESC
"""
_INSERT = """
    INSERT INTO dictionaries (provider, version, content) VALUES ($1, $2, $3)
    ON CONFLICT (provider, version) DO NOTHING
"""


class Dictionary(Struct, frozen=True, kw_only=True):
    """The bytes that the raw events of one provider have in common."""

    provider: str
    version: int
    content: bytes


class RawCompressor:
    """Compresses raw events, each with the latest dictionary of its provider that this process knows."""

    def __init__(self) -> None:
        self._without = zstandard.ZstdCompressor(level=_LEVEL)
        self._of_provider: dict[str, tuple[int, zstandard.ZstdCompressor]] = {}

    async def look_up(self, executor: Executor, events: Iterable[FeedbackEvent]) -> None:
        """Loads the dictionaries of the events' providers. Raises StoreUnavailable."""
        providers = {event.provider for event in events} - self._of_provider.keys()
        if not providers:
            return
        with store_errors("reading dictionaries"):
            records = await executor.fetch(_LATEST, sorted(providers))
        self._of_provider.update(dict.fromkeys(providers, (WITHOUT_DICTIONARY, self._without)))
        for record in records:
            dictionary = zstandard.ZstdCompressionDict(record["content"])
            compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=dictionary)
            self._of_provider[record["provider"]] = (record["id"], compressor)

    def compress(self, provider: str, raw: bytes) -> tuple[bytes, int | None]:
        """The bytes to store and their `dictionary_id`, which is None if they are not compressed."""
        dictionary_id, compressor = self._of_provider.get(provider, (WITHOUT_DICTIONARY, self._without))
        compressed = compressor.compress(raw)
        return (compressed, dictionary_id) if len(compressed) < len(raw) else (raw, None)


async def raw_decompressors(executor: Executor, ids: Iterable[int]) -> Mapping[int, zstandard.ZstdDecompressor]:
    """A decompressor for each of these dictionary ids. Raises StoreUnavailable."""
    used_ids = set(ids) - {WITHOUT_DICTIONARY}
    with store_errors("reading dictionaries"):
        records = (
            await executor.fetch("SELECT id, content FROM dictionaries WHERE id = ANY ($1::smallint[])", list(used_ids))
            if used_ids
            else []
        )
    return {
        WITHOUT_DICTIONARY: zstandard.ZstdDecompressor(),
        **{
            record["id"]: zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(record["content"]))
            for record in records
        },
    }


def decompress(decompressor: zstandard.ZstdDecompressor, stored: bytes) -> bytes:
    """The bytes that `RawCompressor.compress` was given."""
    return decompressor.decompress(stored, max_output_size=_MOST_RAW_BYTES)


async def dictionary_versions(executor: Executor) -> set[tuple[str, int]]:
    """The (provider, version) of all dictionaries. Raises StoreUnavailable."""
    with store_errors("reading dictionaries"):
        records = await executor.fetch("SELECT provider, version FROM dictionaries")
    return {(record["provider"], record["version"]) for record in records}


async def insert_dictionaries(connection: Connection, dictionaries: Sequence[Dictionary]) -> None:
    """Inserts the missing dictionaries; never changes one. Raises StoreUnavailable."""
    with store_errors("storing dictionaries"):
        await connection.executemany(_INSERT, [(one.provider, one.version, one.content) for one in dictionaries])
