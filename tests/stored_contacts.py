"""The contacts of a database, as a test finds them."""

from worker.store.contact_rows import ContactRow, lock_contacts_by_id
from worker.store.pool import Connection

EMPTY_LOG = (
    "TRUNCATE contacts, entries, calm_events, kept_calm_events, nameless_events, arrival_dated_events, status_changes,"
    " acts, jobs, job_parts, safelist_requests, contact_tags, people, dead_letters, checkpoints, refolds,"
    " campaign_recipients, campaigns"
)


async def all_contacts(connection: Connection) -> list[ContactRow]:
    """Every row of `contacts`, in the order of the ids."""
    records = await connection.fetch("SELECT id FROM contacts")
    return await lock_contacts_by_id(connection, [record["id"] for record in records])
