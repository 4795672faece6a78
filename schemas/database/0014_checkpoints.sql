-- Checkpoints: the facts at places along long logs, so that an entry that comes late need not fold all of it again.
-- depends: 0013_policies_and_jobs

CREATE TABLE checkpoints (
    contact_id bigint NOT NULL,
    occurred_at timestamptz NOT NULL,  -- these three are the place: after the entry that has it, and all before
    rank smallint NOT NULL,
    entry_key bytea NOT NULL,
    policy bigint NOT NULL,            -- a hash of the policy (worker/policy/policy_encoding.py): no other may use it
    shape smallint NOT NULL,           -- FACTS_SHAPE of worker/policy/checkpoint.py
    facts bytea,                       -- as worker/policy/facts_encoding.py writes them; NULL: nothing is known there
    PRIMARY KEY (contact_id, occurred_at, rank, entry_key)
);
