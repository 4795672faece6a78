-- Requests to have contacts back, or to block them: who asked, why, and what was decided by whom.
-- depends: 0016_consent

-- A request names its contact as people do, so that one to block somebody can come before the contact.
CREATE TABLE safelist_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    address text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('lift', 'block')),
    state text NOT NULL CHECK (state IN ('requested', 'approved', 'declined')),
    status text NOT NULL,              -- of the contact when it was asked for
    cause text NOT NULL,
    about text[] NOT NULL,             -- what forbade mail then, as worker.policy.dimension.Standing names it
    last_answer text,                  -- of the last failure then
    note text NOT NULL,                -- why, in the requester's words
    wish jsonb,                        -- the person's, as schemas.safelist.PersonsWish
    requested_at timestamptz NOT NULL,
    requested_by text NOT NULL,
    request_act_id bigint NOT NULL REFERENCES acts,
    rule text NOT NULL,                -- the rule that decided at once, or sent it to review
    decided_at timestamptz,
    decided_by text,                   -- a person, or 'safelist rules'
    decline_reason text,
    decision_note text,
    act_id bigint REFERENCES acts,     -- of the decision
    CHECK ((state = 'requested') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)),
    CHECK ((state = 'declined') = (decline_reason IS NOT NULL))
);
CREATE UNIQUE INDEX safelist_requests_open ON safelist_requests (address, account, channel) WHERE state = 'requested';
CREATE UNIQUE INDEX safelist_requests_act ON safelist_requests (request_act_id, address);
CREATE INDEX safelist_requests_contact ON safelist_requests (address, account, channel, id);
CREATE INDEX safelist_requests_account ON safelist_requests (account, id);
