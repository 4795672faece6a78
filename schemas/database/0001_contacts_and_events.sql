-- Contacts with their status, the events behind it, the history, what was set aside, what is to be announced.
-- depends:

-- One row per (account, channel, address). The status columns are derived from the facts, and the facts from
-- the events; whoever holds the row's lock may write it. fillfactor leaves room for updates on the same page
-- (heap-only tuples), because nearly every event moves a time in here.
CREATE TABLE contacts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    channel text NOT NULL,
    address text COLLATE "C" NOT NULL,
    -- the standing, as of the last write
    status text NOT NULL DEFAULT 'new',
    blocks text NOT NULL DEFAULT 'none',
    status_since timestamptz,
    status_until timestamptz,          -- the shown status ends by itself then
    next_change_at timestamptz,        -- the standing changes by time alone then: the sweep's index
    cause text NOT NULL DEFAULT 'none',
    rule text,
    status_event_key bytea,
    lift_by text[],
    -- the facts
    first_seen_at timestamptz NOT NULL,
    last_delivered_at timestamptz,
    last_delivered_message text,
    last_opened_at timestamptz,
    last_clicked_at timestamptz,
    latest_at timestamptz,
    latest_key bytea,
    latest_ordered_at timestamptz,
    latest_ordered_key bytea,
    facts_detail bytea,                -- JSON of worker.policy.facts; NULL while there is nothing to remember
    -- the facts as they were before the oldest stored event
    base bytea,
    base_until timestamptz
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE UNIQUE INDEX contacts_address ON contacts (address, account, channel);
CREATE INDEX contacts_next_change ON contacts (next_change_at) WHERE next_change_at IS NOT NULL;

-- Partitioned by month of occurrence: duplicates carry the same time and so meet in the same partition, and old
-- months are dropped whole. Partitions are made by the program, ahead of time.
CREATE TABLE events (
    occurred_at timestamptz NOT NULL,
    event_key bytea NOT NULL,
    contact_id bigint,                 -- NULL: an event that names nobody
    kind text NOT NULL,
    cause text NOT NULL,
    provider text NOT NULL,
    source text NOT NULL,
    vendor_event text NOT NULL,
    message_id text,
    smtp_code smallint,
    enhanced_status text,
    diagnostic text,
    scope text,
    machine boolean NOT NULL,
    received_at timestamptz NOT NULL,
    delivery_id uuid NOT NULL,
    tags text[],
    metadata jsonb,
    raw bytea NOT NULL,                -- the vendor's own bytes
    PRIMARY KEY (occurred_at, event_key)
) PARTITION BY RANGE (occurred_at);

CREATE INDEX events_contact ON events (contact_id, occurred_at);

-- Events whose vendor gave no usable time are dated by their first arrival. Their duplicates come later and would
-- be dated anew, and so would never meet in the primary key of events: here they do.
CREATE TABLE arrival_dated_events (
    event_key bytea PRIMARY KEY,
    occurred_at timestamptz NOT NULL
);

-- Append-only. transaction_id orders the feed: rows of a transaction that is still open are not yet told, so that
-- a reader who continues after a cursor never misses one that was committed late.
CREATE TABLE status_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    contact_id bigint NOT NULL,
    recorded_at timestamptz NOT NULL,  -- when it was written
    since timestamptz,                 -- when the new status began
    until timestamptz,
    old_status text NOT NULL,
    new_status text NOT NULL,
    old_blocks text NOT NULL,
    new_blocks text NOT NULL,
    cause text NOT NULL,
    rule text,
    event_key bytea,
    delivery_id uuid,
    actor text NOT NULL,               -- 'events', 'time', 'policy', or a person's name
    note text
);

CREATE INDEX status_changes_contact ON status_changes (contact_id, id);
CREATE INDEX status_changes_feed ON status_changes (transaction_id, id);

-- Deliveries that could not be processed, whole, so that they can be replayed after a fix.
CREATE TABLE dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id uuid NOT NULL UNIQUE,
    source text NOT NULL,
    provider text NOT NULL,
    account text NOT NULL,
    received_at timestamptz NOT NULL,
    set_aside_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    reason text NOT NULL,
    detail text NOT NULL,
    content_type text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    replayed_at timestamptz,
    discarded_at timestamptz,
    closed_by text,                    -- the person who replayed or discarded it
    note text
);

CREATE INDEX dead_letters_open ON dead_letters (id) WHERE replayed_at IS NULL AND discarded_at IS NULL;

-- Transactional outbox: status changes on their way to the topic exchange.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL,
    routing_key text NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02);
