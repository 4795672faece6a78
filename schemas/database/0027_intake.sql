-- What comes in and what the processors say of themselves, noted every few seconds, for whoever watches
-- (worker/store/intake.py). Nothing else depends on it: what a killed processor had not noted yet is missing.
-- depends: 0024_forgetting_acts

-- One row for each account and source. A webhook with events of several accounts counts for each of them.
CREATE TABLE intake (
    account text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    webhooks bigint NOT NULL,              -- since the row was made; it only grows
    last_received_at timestamptz NOT NULL, -- when a receiver took the latest of them
    PRIMARY KEY (account, source)
) WITH (fillfactor = 50);

-- One row for each processor that lives, or did within the last day.
CREATE TABLE processor_signs (
    processor uuid PRIMARY KEY,
    noted_at timestamptz NOT NULL,
    oldest_age_seconds double precision NOT NULL,  -- as the metric of that name
    waiting_parcels bigint NOT NULL                -- in all queues, as this processor measured them last
) WITH (fillfactor = 50);
