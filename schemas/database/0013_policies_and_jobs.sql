-- Policies are rows, and the contacts name the one that they were folded under. Long work in the background.
-- depends: 0012_accounts_and_tokens

-- What was or will be in force. A definition never changes, so that whoever has read one may keep it. Ids grow with
-- each application: of two contacts the one with the higher policy_id was folded under the later policy.
CREATE TABLE policies (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    definition text NOT NULL,          -- JSON (worker/policy/policy_encoding.py)
    state text NOT NULL CHECK (state IN ('pending', 'active', 'former')),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,          -- 'configuration', or a person's name
    activated_at timestamptz,
    activated_by text,
    CHECK ((state = 'pending') = (activated_at IS NULL))
);
CREATE UNIQUE INDEX policies_active ON policies (state) WHERE state = 'active';
CREATE UNIQUE INDEX policies_pending ON policies (state) WHERE state = 'pending';

-- NULL: any policy gives this contact the same facts and the same status. 0, which every contact has that is here
-- already: folded under the configuration of that time. No index: a value that changes would end heap-only updates,
-- and the one reader of all of them goes by id.
ALTER TABLE contacts ADD COLUMN policy_id integer DEFAULT 0;
ALTER TABLE contacts ALTER COLUMN policy_id DROP DEFAULT;

-- Long work: planned into parts, worked off by any number of processes, part by part.
CREATE TABLE jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    plan jsonb NOT NULL,               -- what is to be done; its kind's own
    state text NOT NULL CHECK (state IN ('planned', 'running', 'done', 'cancelled', 'failed')),
    round smallint NOT NULL DEFAULT 0, -- how often it was divided into parts
    total bigint NOT NULL DEFAULT 0,   -- of what its kind counts: about how much there is to do
    requested_at timestamptz NOT NULL,
    requested_by text NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    cancelled_by text,                 -- set: nobody takes another step of it
    error text,
    counts jsonb NOT NULL DEFAULT '{}' -- of all rounds that have ended
);
CREATE INDEX jobs_open ON jobs (id) WHERE state IN ('planned', 'running');

-- A step locks its part, does a little of the work, and notes the place it has reached: all in one transaction. A
-- process that is killed leaves neither a lock nor half a step.
CREATE TABLE job_parts (
    job_id bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    number integer NOT NULL,           -- parts with a lower one are begun first
    first bigint NOT NULL,             -- from here, as its kind counts: ids of contacts, lines of a file
    last bigint NOT NULL,              -- up to and with this one
    place bigint NOT NULL,             -- the next one
    limited_to text,                         -- what else limits it; its kind's own
    counts jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (job_id, number)
) WITH (fillfactor = 50);
