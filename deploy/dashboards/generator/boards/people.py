"""People and applications: what they decided, what they asked, and the jobs that work for them."""

from deploy.dashboards.generator.board import Board
from deploy.dashboards.generator.log_query import WHOLE, lines, or_zero
from deploy.dashboards.generator.metric_query import series
from deploy.dashboards.generator.panel import Kind, Panel, shows
from worker.process import metrics

_TITLE = "Bouncekeeper: people"
_DECISIONS = lines("decision.made")
_API = lines("api.answered")
_JOBS_SAY = "Jobs that began and how they ended. A failed job is a bug of ours: its line holds the traceback."
_API_SAYS = (
    "What applications ask, by the answer's status. "
    "Many 4xx mean a wrong call or token; 5xx are bugs of ours or a database that is away."
)

LOGS = Board(
    name="people",
    title=_TITLE,
    says="Who decided what, what waits for a person, what applications ask, and how jobs go on.",
    source="loki",
    since="now-7d",
    panels=(
        Panel(
            title="Decisions, by kind",
            says=(
                "What people and applications decided about contacts. "
                "Many lifted blocks in a short time come back as bounces: ask who does it."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(shows(or_zero(_DECISIONS.count("kind")), "{{kind}}"),),
        ),
        Panel(
            title="Decisions, by person",
            says="Who decided, over the time shown. A name that you do not know: `bouncekeeper tokens list`.",
            kind=Kind.TABLE,
            unit="short",
            targets=(shows(_DECISIONS.count("actor", "kind", over=WHOLE), "{{actor}} {{kind}}"),),
        ),
        Panel(
            title="Acts: one command, call or job each",
            says=(
                "How many contacts each act decided about, was not needed for, or left out. "
                "Many left out mean that a file had addresses that cannot be read, or contacts that may not be lifted."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(
                shows(or_zero(lines("act.finished").total("made", "what")), "{{what}} decided"),
                shows(or_zero(lines("act.finished").total("unchanged", "what")), "{{what}} as it was"),
                shows(or_zero(lines("act.finished").total("skipped", "what")), "{{what}} left out"),
            ),
        ),
        Panel(
            title="Safelist requests",
            says=(
                "Requests to mail somebody again, or to block, and what became of them. "
                "Those that are `requested` wait for a person: `bouncekeeper safelist list`."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(
                shows(or_zero(lines("safelist.requested").count("state")), "asked: {{state}}"),
                shows(or_zero(lines("safelist.decided").count("state")), "decided: {{state}}"),
            ),
        ),
        Panel(
            title="Jobs",
            says=_JOBS_SAY,
            kind=Kind.BARS,
            unit="short",
            targets=(
                shows(
                    or_zero(lines("job.started", "job.ended", "job.cancelled", "job.failed").count("event", "kind")),
                    "{{event}} {{kind}}",
                ),
            ),
        ),
        Panel(
            title="Daily summaries",
            says=(
                "Summaries that were written and sent. "
                "A refused one is not sent again: `bouncekeeper summary` shows it and why."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(
                shows(
                    or_zero(
                        lines(
                            "summary.made",
                            "summary.sent",
                            "summary.postponed",
                            "summary.refused",
                            "summary.unsure",
                            "summary.failed",
                        ).count("event")
                    ),
                    "{{event}}",
                ),
            ),
        ),
        Panel(
            title="API calls, by token and status",
            says=_API_SAYS,
            kind=Kind.BARS,
            unit="short",
            targets=(shows(or_zero(_API.count("token", "http_status")), "{{token}} {{http_status}}"),),
        ),
        Panel(
            title="Time to answer a call, by route",
            says=(
                "The slowest answer of each route. "
                "If `/v1/check` takes seconds, ask about fewer addresses at once, or add API processes."
            ),
            kind=Kind.CURVES,
            unit="s",
            targets=(shows(_API.highest("seconds", "route"), "{{route}}"),),
        ),
        Panel(
            title="Wrong tokens, by address",
            says=(
                "Requests without a valid token, over the time shown. "
                "One address with many is a script with an old token, or somebody who guesses."
            ),
            kind=Kind.TABLE,
            unit="short",
            targets=(
                shows(
                    lines("token.refused").total("count", "remote_address", "reason", over=WHOLE), "{{remote_address}}"
                ),
            ),
        ),
        Panel(
            title="Endpoints",
            says=(
                "Applications that take no webhooks of ours, and what people did about it. "
                "A disabled one gets no more until a person enables it: `bouncekeeper endpoints list`."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(
                shows(
                    or_zero(
                        lines("endpoint.failed", "endpoint.disabled", "endpoint.recovered", "endpoint.enabled").count(
                            "event", "endpoint"
                        )
                    ),
                    "{{event}} {{endpoint}}",
                ),
            ),
        ),
        Panel(
            title="Who did what",
            says=(
                "Every act of a person, an application or the configuration, the newest first. "
                "The act's id leads to all that it changed: `bouncekeeper why`."
            ),
            kind=Kind.LINES,
            unit="",
            targets=(
                shows(
                    lines(
                        "account.added",
                        "account.changed",
                        "act.finished",
                        "decision.made",
                        "endpoint.enabled",
                        "endpoint.forgotten",
                        "job.cancellation_requested",
                        "letters.discarded",
                        "letters.replayed",
                        "policy.applied",
                        "safelist.decided",
                        "token.created",
                        "token.revoked",
                    ).shown("actor", "act_id")
                ),
            ),
            width=24,
            height=10,
        ),
    ),
)

METRICS = Board(
    name="people",
    title=f"{_TITLE} (metrics)",
    says="What was decided, what applications ask, and how jobs go on. Who did it stands in the log alone.",
    source="prometheus",
    since="now-7d",
    panels=(
        Panel(
            title="Decisions, by kind",
            says=LOGS.panels[0].says,
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.DECISIONS).rate("kind"), "{{kind}}"),),
        ),
        Panel(
            title="Open jobs",
            says=(
                "Jobs that have not ended. "
                "If one stays for hours without any items done, no processor has time for it, or none runs."
            ),
            kind=Kind.CURVES,
            unit="short",
            targets=(shows(series(metrics.JOBS_OPEN).highest("kind"), "{{kind}}"),),
        ),
        Panel(
            title="What jobs have done",
            says=(
                "Items of jobs, such as contacts folded again, and jobs that ended. "
                "A failed job is a bug of ours: the line job.failed holds the traceback."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(
                shows(series(metrics.JOB_ITEMS).rate("kind", "what"), "{{kind}} {{what}}"),
                shows(series(metrics.JOBS_ENDED).rate("kind", "outcome"), "{{kind}} {{outcome}}"),
            ),
        ),
        Panel(
            title="API calls, by status",
            says=_API_SAYS,
            kind=Kind.BARS,
            unit="reqps",
            targets=(shows(series(metrics.API_SECONDS).calls("http_status"), "{{http_status}}"),),
        ),
        Panel(
            title="Time to answer a call, by route",
            says="All but one of a hundred answers of a route come sooner. If it takes seconds, add API processes.",
            kind=Kind.CURVES,
            unit="s",
            targets=(shows(series(metrics.API_SECONDS).quantile(0.99, "route"), "{{route}}"),),
        ),
        Panel(
            title="Safelist requests",
            says=(
                "What was done about requests to mail somebody again, or to block. "
                "Those that are opened and not decided wait for a person: `bouncekeeper safelist list`."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.SAFELIST_REQUESTS).rate("kind", "outcome"), "{{kind}} {{outcome}}"),),
        ),
        Panel(
            title="Waiting for a person, or for the mail server",
            says=(
                "Safelist requests that wait for a person, and mails of daily summaries that are not sent yet. "
                "If the mails stay, run `bouncekeeper doctor`."
            ),
            kind=Kind.CURVES,
            unit="short",
            targets=(
                shows(series(metrics.SAFELIST_REQUESTS_PENDING).highest("kind"), "requests: {{kind}}"),
                shows(series(metrics.SUMMARY_MAILS_WAITING).highest(), "mails of summaries"),
            ),
        ),
        Panel(
            title="Mails of daily summaries",
            says="Attempts to mail daily summaries. A refused one is not sent again: `bouncekeeper summary` shows why.",
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.SUMMARY_MAILS).rate("outcome"), "{{outcome}}"),),
        ),
        Panel(
            title="Addresses asked about, by answer",
            says=(
                "What applications were told before they send. "
                "If nothing is asked while mail goes out, somebody sends without asking."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.CHECKED_ADDRESSES).rate("answer"), "{{answer}}"),),
        ),
        Panel(
            title="Requests refused, by reason",
            says=(
                "Requests that the API refused before it handled them. "
                "`busy` asks for more processes, the others for a look at who calls."
            ),
            kind=Kind.BARS,
            unit="reqps",
            targets=(shows(series(metrics.API_REFUSED).rate("reason"), "{{reason}}"),),
        ),
        Panel(
            title="Contacts folded again",
            says=(
                "Contacts with long logs that are folded again in the background, and the time it takes for all but "
                "one of a hundred. If it grows, add processors."
            ),
            kind=Kind.CURVES,
            unit="s",
            targets=(shows(series(metrics.REFOLD_SECONDS).quantile(0.99), "99 of 100"),),
        ),
    ),
)
