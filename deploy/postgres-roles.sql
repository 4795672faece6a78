-- Roles with the least rights that each process works with. Run it once in each database, as a superuser or as the owner
-- of the database who may create roles:
--   bouncekeeper postgres psql --file deploy/postgres-roles.sql
-- The rights themselves are given by `bouncekeeper migrate` (schemas/database_rights.sql), after each change of the schema.
--
-- The roles cannot log in. Give each process a user of its own, in this database alone:
--   CREATE ROLE mail_receiver LOGIN PASSWORD '…' IN ROLE bouncekeeper_receiver;
-- `migrate` goes on as the user who owns the tables, and so does `restore`.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'bouncekeeper_receiver',   -- receiver and mailbox: put parcels into the queue in Postgres, and read nothing
        'bouncekeeper_processor',  -- processor: writes everything that follows from events, and no token
        'bouncekeeper_api',        -- api: reads, and writes what people and applications decide
        'bouncekeeper_operator',   -- commands: everything but the schema
        'bouncekeeper_reader'      -- dashboards and reports: reads, but no token and no raw delivery
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
    END LOOP;
    -- Contacts are written through temporary tables (worker/store/contact_rows.py).
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    FOREACH name IN ARRAY ARRAY['bouncekeeper_processor', 'bouncekeeper_api', 'bouncekeeper_operator'] LOOP
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), name);
    END LOOP;
    -- Up to Postgres 14 everybody could make tables there.
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
END
$$;
