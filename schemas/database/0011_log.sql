-- One log: what ESPs report and what is decided, as entries of contacts. Rows name words and acts by number.
-- depends: 0010_contact_spelling

-- Providers, sources, causes and vendors' names of events, each once. An entry names it by its id. What one provider
-- may add by the names of its events is limited (worker/store/words.py); beyond that they stand in `beside`.
CREATE TABLE words (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    word text COLLATE "C" NOT NULL,
    brought_by text COLLATE "C" NOT NULL DEFAULT '',  -- the provider whose event it names; '': a cause, provider, source
    UNIQUE (brought_by, word)
);
INSERT INTO words (word) VALUES
    ('none'), ('mailbox_does_not_exist'), ('invalid_address'), ('mailbox_owner_changed'), ('mailbox_disabled'),
    ('mailbox_full'), ('domain_does_not_exist'), ('domain_accepts_no_mail'), ('recipient_restricted'),
    ('server_unavailable'), ('connection_failed'), ('dns_failure'), ('greylisted'), ('expired'), ('undetermined'),
    ('sender_reputation'), ('sender_authentication'), ('sender_configuration'), ('content'), ('virus'),
    ('message_too_large'), ('rate_limited'), ('policy'), ('suppressed_by_provider'), ('complained_at_provider'),
    ('unsubscribed_at_provider'), ('auto_reply'), ('challenge_response'), ('address_changed'), ('abuse_report'),
    ('fraud_report'), ('test');

-- The kinds of entries by their ranks (schemas/kind_rank.py, schemas/decision.py), which never change: an entry holds
-- the rank alone. For people who read the tables; the program knows them.
CREATE TABLE kinds (
    rank smallint PRIMARY KEY,
    kind text NOT NULL UNIQUE
);
INSERT INTO kinds (rank, kind) VALUES
    (0, 'accepted'), (10, 'deferred'), (20, 'delivered'), (30, 'soft_bounce'), (40, 'hard_bounce'), (50, 'blocked'),
    (60, 'dropped'), (70, 'opened'), (80, 'clicked'), (90, 'unsubscribe'), (100, 'resubscribe'), (110, 'complaint'),
    (120, 'other'), (200, 'added'), (210, 'opted_in'), (220, 'lifted'), (260, 'listed'), (300, 'voided'),
    (310, 'held_back'), (320, 'released');

-- zstd dictionaries, by which `raw` is compressed. Rows name them, so that none is ever changed or deleted.
CREATE TABLE dictionaries (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    version smallint NOT NULL,         -- of worker/commands/support/dictionary_training.py
    content bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider, version)
);
CREATE FUNCTION refuse_dictionary_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a dictionary stays as it is: raw bytes of entries can be read with no other'
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER dictionaries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON dictionaries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_dictionary_change();

-- One command, call, import, job or run of a rule. The decisions that it makes name it.
CREATE TABLE acts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text,                      -- NULL: it is not about one account
    token_id bigint,                   -- of the API token that was used
    token_name text,                   -- its name at that time
    actor text NOT NULL,               -- the name that the history shows
    role text NOT NULL,                -- of the actor, at that time
    what text NOT NULL,                -- command, call, import, job, rule
    idempotency_key text,              -- one for each request of its token, or of its actor without one
    request_hash bytea,                -- of what was asked for: the same key with another request is refused
    note text,
    proof jsonb,
    at timestamptz NOT NULL,
    finished_at timestamptz            -- all is decided: a repeat decides nothing
);
CREATE UNIQUE INDEX acts_idempotency ON acts (coalesce(token_id, 0), actor, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- Entries that take effect in their order: failures, opt-outs, opt-ins, complaints and all decisions. A contact's are
-- unique by their key, whatever time a repeat names, and stay for as long as their contact.
CREATE TABLE entries (
    contact_id bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    act_id bigint REFERENCES acts,     -- of a decision
    cause integer,                     -- a word; NULL: `none`, or see `beside`
    provider integer,                  -- so are these three; NULL: see `beside`, or a decision
    source integer,
    vendor_event integer,              -- tells the provider, too: that is NULL then
    rank smallint NOT NULL,            -- the kind, see `kinds`
    reader_version smallint NOT NULL,  -- READER_VERSION of schemas/feedback_event.py; 0: stored before there was one
    smtp_code smallint,
    dictionary_id smallint,            -- by which `raw` is compressed; 0: compressed without any, NULL: as it came
    machine boolean NOT NULL,
    delivery_id uuid,                  -- NULL: a decision
    entry_key bytea NOT NULL,
    message_id text,
    enhanced_status text,
    diagnostic text,
    scope text,
    tags jsonb,
    metadata jsonb,
    beside jsonb,                      -- words that have no id, by the names of their columns
    detail jsonb,                      -- what only a decision has
    raw bytea,                         -- the event as the vendor wrote it, where processor.keep_raw keeps it
    -- The key first: two indexes that begin with the contact are alike to the planner while the table is empty, and a
    -- session would keep the wrong one.
    PRIMARY KEY (entry_key, contact_id)
);
CREATE INDEX entries_in_order ON entries (contact_id, occurred_at);

-- Calm events: accepted, deferred, delivered, opened, clicked, other. They come by the million, in months of occurrence
-- that are dropped whole. Months are made by the program, ahead of time.
CREATE TABLE calm_events (
    contact_id bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    cause integer,
    provider integer,
    source integer,
    vendor_event integer,
    rank smallint NOT NULL,
    reader_version smallint NOT NULL,
    smtp_code smallint,
    dictionary_id smallint,
    machine boolean NOT NULL,
    delivery_id uuid NOT NULL,
    entry_key bytea NOT NULL,
    message_id text,
    enhanced_status text,
    diagnostic text,
    scope text,
    tags jsonb,
    metadata jsonb,
    beside jsonb,
    raw bytea,
    PRIMARY KEY (contact_id, occurred_at, entry_key)
) PARTITION BY RANGE (occurred_at);

-- Those of them that still have a say beyond their month (worker/policy/thinning.py). The retention moves them here
-- before it drops the month; older ones that come in are put here at once.
CREATE TABLE kept_calm_events (
    LIKE calm_events INCLUDING DEFAULTS,
    PRIMARY KEY (contact_id, entry_key)
);

-- Events that name nobody.
CREATE TABLE nameless_events (
    LIKE calm_events INCLUDING DEFAULTS,
    PRIMARY KEY (entry_key)
);
ALTER TABLE nameless_events ALTER COLUMN contact_id DROP NOT NULL, ADD CHECK (contact_id IS NULL);

-- The whole log as people read it. For a while, before their month is dropped, kept events are in two tables.
CREATE VIEW log AS
SELECT e.contact_id, e.occurred_at, k.kind,
       coalesce(cause.word, e.beside ->> 'cause', 'none') AS cause,
       coalesce(vendor_event.brought_by, provider.word, e.beside ->> 'provider') AS provider,
       coalesce(source.word, e.beside ->> 'source') AS source,
       coalesce(vendor_event.word, e.beside ->> 'vendor_event') AS vendor_event,
       e.message_id, e.smtp_code, e.enhanced_status, e.diagnostic, e.scope, e.machine, e.tags, e.metadata,
       e.received_at, e.delivery_id, e.act_id, e.detail, e.reader_version, e.entry_key
  FROM (SELECT contact_id, occurred_at, received_at, act_id, cause, provider, source, vendor_event, rank,
               reader_version, smtp_code, machine, delivery_id, entry_key, message_id, enhanced_status, diagnostic,
               scope, tags, metadata, beside, detail
          FROM entries
        UNION ALL
        SELECT contact_id, occurred_at, received_at, NULL, cause, provider, source, vendor_event, rank,
               reader_version, smtp_code, machine, delivery_id, entry_key, message_id, enhanced_status, diagnostic,
               scope, tags, metadata, beside, NULL
          FROM calm_events
        UNION ALL
        SELECT contact_id, occurred_at, received_at, NULL, cause, provider, source, vendor_event, rank,
               reader_version, smtp_code, machine, delivery_id, entry_key, message_id, enhanced_status, diagnostic,
               scope, tags, metadata, beside, NULL
          FROM kept_calm_events
        UNION ALL
        SELECT NULL, occurred_at, received_at, NULL, cause, provider, source, vendor_event, rank,
               reader_version, smtp_code, machine, delivery_id, entry_key, message_id, enhanced_status, diagnostic,
               scope, tags, metadata, beside, NULL
          FROM nameless_events) e
  LEFT JOIN kinds k ON k.rank = e.rank
  LEFT JOIN words cause ON cause.id = e.cause
  LEFT JOIN words provider ON provider.id = e.provider
  LEFT JOIN words source ON source.id = e.source
  LEFT JOIN words vendor_event ON vendor_event.id = e.vendor_event;

-- What is here already is converted by `migrate` (worker/store/log_conversion.py), part by part; the tables of the
-- former shape are gone when it has ended. No processor works until then.
ALTER TABLE events RENAME TO former_events;
ALTER TABLE kept_events RENAME TO former_kept_events;
CREATE TABLE log_conversion (
    table_name text PRIMARY KEY,
    next_block bigint NOT NULL         -- the first block of the table that is not converted yet
);
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM former_events) AND NOT EXISTS (SELECT FROM former_kept_events) THEN
        DROP TABLE former_events, former_kept_events, log_conversion;
    END IF;
END
$$;
