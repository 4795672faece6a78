-- The daily summary of each account: what it tells is fixed once, and each recipient is sent it once.
-- depends: 0019_safelist_requests

-- Of all processes the one that inserts the row has made the summary of that day.
CREATE TABLE daily_summaries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    local_date date NOT NULL,          -- in the account's time zone
    covers_until timestamptz NOT NULL, -- the hour of that day: what was decided later waits for the next one
    made_at timestamptz NOT NULL,
    UNIQUE (account, local_date)
);

-- What a summary tells: each decided request is in one summary, however late its transaction was committed.
ALTER TABLE safelist_requests ADD COLUMN summary_id bigint REFERENCES daily_summaries;
CREATE INDEX safelist_requests_untold ON safelist_requests (account, decided_at)
    WHERE summary_id IS NULL AND decided_at IS NOT NULL;
CREATE INDEX safelist_requests_summary ON safelist_requests (summary_id) WHERE summary_id IS NOT NULL;

CREATE TABLE summary_mails (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    summary_id bigint NOT NULL REFERENCES daily_summaries,
    recipient text NOT NULL,
    -- waiting: to be tried; handing_over: the content may have gone out; accepted, refused, unsure: never tried again
    state text NOT NULL CHECK (state IN ('waiting', 'handing_over', 'accepted', 'refused', 'unsure')),
    attempts integer NOT NULL DEFAULT 0,  -- whose attempt it is: a process that was overtaken writes nothing
    next_try_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    answer text NOT NULL DEFAULT '',   -- of the server, the last one; or what was in the way
    UNIQUE (summary_id, recipient)
);
CREATE INDEX summary_mails_open ON summary_mails (next_try_at) WHERE state IN ('waiting', 'handing_over');

ALTER TABLE accounts ALTER COLUMN time_zone SET DEFAULT 'America/New_York';
