-- Months of calm_events are made, retired and dropped by functions that run with the rights of whoever migrates, so that
-- a processor needs no right to alter the schema. They do nothing else, and nobody may call them without a grant:
-- schemas/database_rights.sql.
-- depends: 0021_old_raw

-- Gives true if the month had no table yet. A table is made first and attached then: that holds off no reader and no
-- writer of calm_events, where CREATE TABLE … PARTITION OF would wait for all of them.
CREATE FUNCTION make_month_of_calm_events(month timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    first timestamp := date_trunc('month', month AT TIME ZONE 'UTC');
    name text := 'calm_events_' || to_char(first, 'YYYY_MM');
BEGIN
    PERFORM pg_advisory_xact_lock(1885434484);  -- one maker or dropper at a time
    IF EXISTS (
        SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'calm_events'::regclass AND c.relname = name
    ) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE calm_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    EXECUTE format(
        'ALTER TABLE calm_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
        first AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC'
    );
    RETURN true;
END
$$;

-- Nothing is written to the month any more; what is in it can be read. Waits for whoever is writing to it.
CREATE FUNCTION retire_month_of_calm_events(month timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    name text := 'calm_events_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
    PERFORM pg_advisory_xact_lock(1885434484);
    IF NOT EXISTS (SELECT FROM pg_constraint r WHERE r.conrelid = name::regclass AND r.conname = 'retired') THEN
        -- Not valid: what is in the table already is not looked at.
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT retired CHECK (false) NOT VALID', name);
    END IF;
END
$$;

-- The month's events are gone. It must have been retired.
CREATE FUNCTION drop_month_of_calm_events(month timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    name text := 'calm_events_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
    PERFORM pg_advisory_xact_lock(1885434484);
    IF to_regclass(name) IS NULL THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_constraint r WHERE r.conrelid = name::regclass AND r.conname = 'retired') THEN
        RAISE EXCEPTION 'the month % of calm_events is not retired', name;
    END IF;
    EXECUTE format('DROP TABLE %I', name);
END
$$;

REVOKE EXECUTE ON FUNCTION make_month_of_calm_events, retire_month_of_calm_events, drop_month_of_calm_events
    FROM PUBLIC;

-- What they name is found in our schema alone, whatever the caller's path is: not among his temporary tables either.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['make_month_of_calm_events', 'retire_month_of_calm_events', 'drop_month_of_calm_events']
    LOOP
        EXECUTE format('ALTER FUNCTION %I(timestamptz) SET search_path = %I, pg_catalog, pg_temp', name, current_schema());
    END LOOP;
END
$$;
