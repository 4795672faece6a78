"""A consumer for a test that holds its parts: whoever runs a whole processor takes `processor` of test_service."""

import asyncio
from datetime import UTC, datetime, timedelta

from worker.contacts.applying import BatchRules
from worker.contacts.policies import Policies
from worker.policy.policy_file import recommended_policy
from worker.processor.batch import BatchWriter
from worker.processor.consumer import Consumer
from worker.processor.trial_room import TrialRoom
from worker.processor.trials import Trials
from worker.providers.bound_sources import BoundSources
from worker.queue.port import QueueReader
from worker.settings.tree import ProcessorSettings
from worker.store.pool import WriterPool


def consumer_of(
    reader: QueueReader, pool: WriterPool, stop: asyncio.Event, settings: ProcessorSettings | None = None
) -> Consumer:
    """It applies what the reader lends, by the pool, under the recommended policy."""
    rules = BatchRules(policies=Policies(recommended_policy()), oldest_kept=datetime.now(UTC) - timedelta(days=30))
    return Consumer(
        name="postgres",
        reader=reader,
        writer=BatchWriter(pool, rules, stop),
        trials=Trials(pool),
        room=TrialRoom(),
        sources=BoundSources(),
        settings=settings or ProcessorSettings(),
    )
