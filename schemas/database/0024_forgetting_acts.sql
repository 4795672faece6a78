-- An act of which nothing came is forgotten by a function that runs with the rights of whoever migrates, so that the API
-- needs no right to delete acts: those that decided something stay, whatever becomes of its process.
-- depends: 0023_report

-- Gives true if the act is gone: it was not finished, and no safelist request came of it.
CREATE FUNCTION forget_idle_act(act_id bigint) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM FROM acts WHERE id = forget_idle_act.act_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN true;
    END IF;
    -- A statement of its own: it sees what the transactions have stored that this one has waited for.
    DELETE FROM acts
     WHERE id = forget_idle_act.act_id AND finished_at IS NULL
       AND NOT EXISTS (SELECT FROM safelist_requests r WHERE r.request_act_id = forget_idle_act.act_id);
    RETURN FOUND;
END
$$;

REVOKE EXECUTE ON FUNCTION forget_idle_act FROM PUBLIC;

-- As for the functions of 0022_months_by_function.
DO $$
BEGIN
    EXECUTE format(
        'ALTER FUNCTION forget_idle_act(bigint) SET search_path = %I, pg_catalog, pg_temp', current_schema()
    );
END
$$;
