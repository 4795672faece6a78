-- depends: 0001_contacts_and_events

-- The queue in Postgres: the whole of it without a broker, the parking place beside one.
CREATE TABLE parked_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parked_at timestamptz NOT NULL DEFAULT now(),
    -- Lent to this reader until then. A reader holds the advisory lock of its number while it lives.
    lent_until timestamptz NOT NULL DEFAULT '-infinity',
    lent_to integer NOT NULL DEFAULT 0,
    times_lent integer NOT NULL DEFAULT 0,
    -- Why it is no longer lent to the processor; NULL while it is alive.
    death_reason text,
    parcel bytea NOT NULL
) WITH (
    fillfactor = 70,  -- room for lending in place: no index holds what lending changes
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 4000,
    toast.autovacuum_vacuum_cost_delay = 0
);

-- Parcels live for seconds: compressing them costs more than it saves.
ALTER TABLE parked_deliveries ALTER COLUMN parcel SET STORAGE EXTERNAL;

CREATE INDEX parked_deliveries_dead ON parked_deliveries (id) WHERE death_reason IS NOT NULL;
