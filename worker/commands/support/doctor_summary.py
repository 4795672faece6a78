"""The check of `doctor` on the server that mails the daily summary: up to the login, without sending anything."""

from worker.commands.support.finding import Finding, well, wrong
from worker.settings.tree import SummarySettings

_WHAT = "summary"
_TLS = {"tls": " over TLS", "starttls": " with STARTTLS", "none": " without TLS"}


async def look_at_summary(settings: SummarySettings) -> list[Finding]:
    """Whether the server can be reached, offers the TLS that is set, and takes the login."""
    from worker.jobs.summary_mail import MailServerUnfit, greet  # noqa: PLC0415 - costs time that --help has not

    if not settings.enabled or not settings.smtp_host:
        return []
    where = f"{settings.smtp_host}:{settings.smtp_port}{_TLS[settings.smtp_tls]}"
    try:
        name = await greet(settings)
    except MailServerUnfit as error:
        return [wrong(_WHAT, f"the mail server {where}: {error}", error.remedy)]
    login = f", and takes the login of {settings.smtp_user}" if settings.smtp_user else ""
    return [well(_WHAT, f"the mail server {where} answers as {name}{login}")]
