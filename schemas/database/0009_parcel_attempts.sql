-- Which parcels were lent again, and how often a processor tried each of them alone.
-- depends: 0008_endpoints

-- A broker counts how often it lent a parcel, and every lost channel counts for all that was lent on it. What matters
-- is what a processor tried: see worker/processor/trials.py. Rows live until their parcel is done.
CREATE TABLE parcel_attempts (
    parcel_hash bytea PRIMARY KEY,     -- 16 bytes of blake2b: of the parcel, or of one delivery in it
    attempts integer NOT NULL,         -- how often it was tried alone; 0: it was only lent again so far
    noted_at timestamptz NOT NULL
);

-- The queue in Postgres gives nothing up by itself any more. The column is written and read by processors of the
-- version before, which go on after this migration until they are restarted; newer ones take whatever is not lent.
COMMENT ON COLUMN parked_deliveries.death_reason IS 'no longer used';
