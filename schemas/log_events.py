"""Every line that this program can log: its name, its level, its fields, its meaning, and what to do about it.

Names are `noun.verb_past`. The tests refuse a name or field that is not declared, and a value of another type.
"""

from schemas.act_log_events import ACT_LOG_EVENTS
from schemas.api_log_events import API_LOG_EVENTS
from schemas.contact_log_events import CONTACT_LOG_EVENTS
from schemas.intake_log_events import INTAKE_LOG_EVENTS
from schemas.job_log_events import JOB_LOG_EVENTS
from schemas.log_event import LogEvent
from schemas.process_log_events import PROCESS_LOG_EVENTS
from schemas.queue_log_events import QUEUE_LOG_EVENTS
from schemas.store_log_events import STORE_LOG_EVENTS

LOG_EVENTS_BY_PART: tuple[dict[str, LogEvent], ...] = (
    ACT_LOG_EVENTS,
    API_LOG_EVENTS,
    CONTACT_LOG_EVENTS,
    INTAKE_LOG_EVENTS,
    JOB_LOG_EVENTS,
    PROCESS_LOG_EVENTS,
    QUEUE_LOG_EVENTS,
    STORE_LOG_EVENTS,
)

LOG_EVENTS: dict[str, LogEvent] = dict(
    sorted((name, event) for part in LOG_EVENTS_BY_PART for name, event in part.items())
)
