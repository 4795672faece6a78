"""Every metric at /metrics, for all processes.

Names follow https://prometheus.io/docs/practices/naming/: a prefix, base units, `_total` on counters. Labels
hold only words of the operator or of this program, never a caller's. Code that counts often looks up a child once and
keeps it, because `labels()` costs more than counting.
"""

from prometheus_client import Counter, Gauge, Histogram

_PREFIX = "bouncekeeper"

# ── receiver ────────────────────────────────────────────────────────────────────────────────────────────
WEBHOOKS = Counter(
    f"{_PREFIX}_webhooks_total",
    "Webhooks answered; outcome is accepted, answered, refused, postponed or failed. Unknown sources share "
    "the empty label.",
    ["source", "outcome", "reason"],
)
WEBHOOK_SECONDS = Histogram(
    f"{_PREFIX}_webhook_seconds",
    "From reading a webhook's head to its answer, including the time of body and confirm.",
    ["source"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0),
)
WEBHOOK_BODY_BYTES = Counter(
    f"{_PREFIX}_webhook_body_bytes_total", "Bytes of accepted bodies, after decompression.", ["source"]
)
UNSUBSCRIBE_PAGES = Counter(
    f"{_PREFIX}_unsubscribe_pages_total",
    "Requests for the unsubscribe page, which change nothing; outcome is shown, or why the token was refused. What "
    "people ask for there counts as webhooks of the source unsubscribe_page.",
    ["outcome"],
)
PARCELS = Counter(f"{_PREFIX}_parcels_total", "Parcels confirmed by the queue: webhooks that shared a confirm.")
PARCEL_BYTES = Counter(f"{_PREFIX}_parcel_bytes_total", "Bytes of confirmed parcels.")
PARCEL_ENVELOPES = Histogram(
    f"{_PREFIX}_parcel_envelopes",
    "How many webhooks shared one confirm.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
PARCELS_PUBLISHED_AGAIN = Counter(
    f"{_PREFIX}_parcels_published_again_total", "Parcels published again because the confirm was missing."
)
WAITING_BYTES = Gauge(f"{_PREFIX}_receiver_waiting_bytes", "Bytes of authentic webhooks that are not confirmed yet.")

# ── connections of the receiver, the API and the probes ─────────────────────────────────────────────────
CONNECTIONS = Gauge(f"{_PREFIX}_connections", "Connections that are open.", ["role"])
CONNECTIONS_CUT_OFF = Counter(
    f"{_PREFIX}_connections_cut_off_total",
    "Connections turned away, closed to make room for others, or cut off because their requests came too slowly or in "
    "too many pieces.",
    ["role", "reason"],
)

# ── Postgres ────────────────────────────────────────────────────────────────────────────────────────────
STORE_AVAILABLE = Gauge(
    f"{_PREFIX}_store_available",
    "1 while Postgres answers this process, 0 while it does not; role is processor, for which it must take writes, or "
    "api.",
    ["role"],
)

# ── traces, if they are enabled ─────────────────────────────────────────────────────────────────────────
SPANS = Counter(
    f"{_PREFIX}_spans_total",
    "Spans of traces; outcome is sent, or why they were dropped: queue_full, not_taken (by the collector) or stopped.",
    ["outcome"],
)

# ── queue ───────────────────────────────────────────────────────────────────────────────────────────────
QUEUE_AVAILABLE = Gauge(
    f"{_PREFIX}_queue_available", "1 while this queue accepts parcels, 0 while it is away or blocked.", ["queue"]
)
PARKED_PARCELS = Counter(
    f"{_PREFIX}_parked_parcels_total", "Parcels kept in Postgres because the broker was away or too slow."
)
QUEUE_DEPTH_PARCELS = Gauge(f"{_PREFIX}_queue_depth_parcels", "Parcels that wait to be processed.", ["queue"])
LANE_DEPTH_PARCELS = Gauge(
    f"{_PREFIX}_lane_depth_parcels",
    "Parcels of one source that wait to be processed; work is live or bulk. The lane that sources share has no name.",
    ["queue", "source", "work"],
)
OLDEST_AGE_SECONDS = Gauge(
    f"{_PREFIX}_oldest_age_seconds",
    "Age of the oldest webhook of the last batch when it was committed; 0 once nothing waits.",
)

# ── processor ───────────────────────────────────────────────────────────────────────────────────────────
BATCHES = Counter(f"{_PREFIX}_batches_total", "Batches; outcome is applied or retried.", ["outcome"])
BATCH_SECONDS = Histogram(
    f"{_PREFIX}_batch_seconds",
    "Time for one batch; step is parse or store.",
    ["step"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
BATCH_EVENTS = Histogram(
    f"{_PREFIX}_batch_events",
    "How many events were applied together.",
    buckets=(1, 5, 10, 50, 100, 500, 1000, 2500, 5000, 10_000),
)
EVENTS = Counter(f"{_PREFIX}_events_total", "Events applied, without duplicates.", ["provider", "kind"])
DUPLICATE_EVENTS = Counter(f"{_PREFIX}_duplicate_events_total", "Events dropped because they were already known.")
CLASSIFICATION_RULES = Counter(
    f"{_PREFIX}_classification_rules_total", "Failures that a rule of `[classification.rules]` has decided.", ["rule"]
)
SET_ASIDE = Counter(f"{_PREFIX}_set_aside_total", "Deliveries kept in dead_letters.", ["reason"])
STATUS_CHANGES = Counter(f"{_PREFIX}_status_changes_total", "Contacts whose status changed to this one.", ["status"])
SENDINGS = Counter(
    f"{_PREFIX}_sendings_total",
    "What became of mail, by the domain that it was sent from, as in the log line sendings.counted; kind is "
    "delivered, hard_bounce, soft_bounce, blocked or complaint.",
    ["source", "sending_domain", "kind"],
)
REFOLDED_CONTACTS = Counter(f"{_PREFIX}_refolded_contacts_total", "Contacts folded again because an event came late.")
REFOLDS_REQUESTED = Counter(
    f"{_PREFIX}_refolds_requested_total",
    "Contacts whose long logs are folded again in the background; reason is late_entry or policy.",
    ["reason"],
)
REFOLD_SECONDS = Histogram(
    f"{_PREFIX}_refold_seconds",
    "From the request of such a re-fold to its end. After a late entry the contact answers with the stricter of the "
    "statuses known for so long.",
    buckets=(0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0),
)
WEBHOOK_TO_STATUS_SECONDS = Histogram(
    f"{_PREFIX}_webhook_to_status_seconds",
    "From a webhook's arrival to the commit of its changes.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0),
)

# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────
JOBS_OPEN = Gauge(f"{_PREFIX}_jobs_open", "Jobs that have not ended; every processor tells the same.", ["kind"])
JOBS_ENDED = Counter(
    f"{_PREFIX}_jobs_ended_total",
    "Jobs that this process ended; outcome is done, cancelled or failed.",
    ["kind", "outcome"],
)
JOB_ITEMS = Counter(
    f"{_PREFIX}_job_items_total",
    "What this process did for jobs; what is the name of a job's count, as contacts for those that were folded again.",
    ["kind", "what"],
)

# ── safelist requests and the daily summary ─────────────────────────────────────────────────────────────
SAFELIST_REQUESTS = Counter(
    f"{_PREFIX}_safelist_requests_total",
    "What this process did about safelist requests; kind is lift or block, outcome is opened, approved, declined, or "
    "refused if none could be made. What rules decide at once is opened and decided.",
    ["kind", "outcome"],
)
SAFELIST_REQUESTS_PENDING = Gauge(
    f"{_PREFIX}_safelist_requests_pending",
    "Safelist requests that wait for a person; every processor tells the same.",
    ["kind"],
)
SUMMARY_MAILS = Counter(
    f"{_PREFIX}_summary_mails_total",
    "Attempts of this process to mail a daily summary; outcome is sent, postponed (it is tried again), refused (it is "
    "given up) or unsure (the server may have it).",
    ["outcome"],
)
SUMMARY_MAILS_WAITING = Gauge(
    f"{_PREFIX}_summary_mails_waiting",
    "Mails of daily summaries that are not sent yet; every processor tells the same.",
)

# ── mailbox ─────────────────────────────────────────────────────────────────────────────────────────────
FETCHED_MAILS = Counter(
    f"{_PREFIX}_fetched_mails_total",
    "Mails of IMAP mailboxes; outcome is queued, postponed or passed_over.",
    ["source", "outcome"],
)
MAILBOX_AVAILABLE = Gauge(
    f"{_PREFIX}_mailbox_available", "1 while the mailbox is open, 0 while its IMAP server is away.", ["source"]
)

# ── relay and API ───────────────────────────────────────────────────────────────────────────────────────
CHANGES_PUBLISHED = Counter(f"{_PREFIX}_changes_published_total", "Status changes confirmed by the topic exchange.")
ENDPOINT_ATTEMPTS = Counter(
    f"{_PREFIX}_endpoint_attempts_total",
    "Status changes sent to an endpoint; outcome is taken or failed.",
    ["endpoint", "outcome"],
)
ENDPOINT_DISABLED = Gauge(
    f"{_PREFIX}_endpoint_disabled",
    "1 while the endpoint gets nothing until a person enables it, else 0; every processor tells the same.",
    ["endpoint"],
)
CHECKED_ADDRESSES = Counter(
    f"{_PREFIX}_checked_addresses_total", "Addresses asked about; answer is allowed or forbidden.", ["answer"]
)
DECISIONS = Counter(
    f"{_PREFIX}_decisions_total",
    "Decisions that people and applications made; kind is lifted, listed, opted_in or added.",
    ["kind"],
)
API_REFUSED = Counter(
    f"{_PREFIX}_api_refused_total",
    "Requests refused before they were handled; reason is no_token, wrong_token, guessing or busy.",
    ["reason"],
)
API_BYTES_UNDER_WAY = Gauge(
    f"{_PREFIX}_api_bytes_under_way",
    "Roughly the bytes that the API holds for requests and answers under way; at most api.max_bytes_under_way.",
)
API_SECONDS = Histogram(
    f"{_PREFIX}_api_seconds",
    "Time for one API answer.",
    ["route", "http_status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
