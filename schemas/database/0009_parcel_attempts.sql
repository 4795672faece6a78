-- Which parcels were lent again, and how often a worker tried each of them alone.
-- depends: 0008_endpoints

-- A broker counts how often it lent a parcel, and every lost channel counts for all that was lent on it. What matters
-- is what a worker tried: see worker/processor/trials.py. Rows live until their parcel is done.
CREATE TABLE parcel_attempts (
    parcel_hash bytea PRIMARY KEY,     -- 16 bytes of blake2b
    attempts integer NOT NULL,         -- how often it was tried alone; 0: it was only lent again so far
    noted_at timestamptz NOT NULL
);

-- The queue in Postgres gives nothing up by itself any more. What it had given up is tried again.
UPDATE parked_deliveries SET death_reason = NULL, lent_to = 0, lent_until = '-infinity'
 WHERE death_reason IS NOT NULL;
DROP INDEX parked_deliveries_dead;
ALTER TABLE parked_deliveries DROP COLUMN death_reason;
