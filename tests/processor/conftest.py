"""What processors do, they do with the rights that they have in production."""

import pytest

from worker.store.pool import WriterPool


@pytest.fixture
def pool(pool: WriterPool, processor_pool: WriterPool) -> WriterPool:  # noqa: ARG001 - the other one brings months
    """A pool as the processor opens it."""
    return processor_pool
