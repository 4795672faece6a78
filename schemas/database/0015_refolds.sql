-- Contacts whose long logs are folded again in the background, piece by piece: something came late into them, or another
-- policy is active. Until that has ended they stay under the policy of their rows in contacts.
-- depends: 0014_checkpoints

-- Whoever writes one has locked the contact's row, so that its facts and these never part.
CREATE TABLE refolds (
    contact_id bigint PRIMARY KEY,
    requested_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL DEFAULT now(),  -- later if a step of it has failed
    policy_id integer NOT NULL,        -- under which it is folded again
    policy bigint NOT NULL,            -- a hash of that policy, as in checkpoints
    shape smallint NOT NULL,           -- FACTS_SHAPE of worker/policy/checkpoint.py: of another one the re-fold begins anew
    occurred_at timestamptz,           -- these three are the place reached; NULL: the beginning of the log
    rank smallint,
    entry_key bytea,
    facts bytea,                       -- there, as worker/policy/facts_encoding.py writes them; NULL: nothing is known
    provisional bytea,                 -- what counts meanwhile beside the contact's own facts; NULL: nothing came late
    CHECK ((occurred_at IS NULL) = (rank IS NULL) AND (occurred_at IS NULL) = (entry_key IS NULL))
) WITH (fillfactor = 50);
