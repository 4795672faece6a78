"""The settings that jobs are run with in tests."""

from schemas.source import Secret
from worker.policy.policy_file import recommended_policy
from worker.settings.tree import (
    ApiSettings,
    ConnectionSettings,
    LogSettings,
    MailboxSettings,
    PostgresSettings,
    ProcessorSettings,
    QueueSettings,
    ReceiverSettings,
    Settings,
    SummarySettings,
)


def job_settings(dsn: str, *, summary: SummarySettings | None = None) -> Settings:
    """Those of a processor under the recommended policy; jobs use the database and the summary's only."""
    return Settings(
        postgres=PostgresSettings(url=Secret(dsn)),
        queue=QueueSettings(),
        receiver=ReceiverSettings(),
        connections=ConnectionSettings(),
        processor=ProcessorSettings(),
        api=ApiSettings(),
        mailbox=MailboxSettings(),
        logs=LogSettings(),
        policy=recommended_policy(),
        summary=summary or SummarySettings(),
    )
