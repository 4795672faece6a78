-- Endpoints of webhooks out are followers of the feed that may fail: since when, and when they are tried again.
-- depends: 0007_feed_followers

ALTER TABLE feed_followers
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,  -- of the change that comes next
    ADD COLUMN next_attempt_at timestamptz,
    ADD COLUMN failure text,                         -- what came of the last attempt
    ADD COLUMN disabled_at timestamptz;              -- nothing is sent until a person enables it again

-- As in 0007; a follower that is disabled holds nobody up. When it is enabled again it goes in one order until then.
CREATE OR REPLACE FUNCTION number_status_changes(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
    told bigint;
    numbered bigint;
BEGIN
    SELECT last_position INTO last FROM status_feed FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT min(greatest(bulk_position, one_order_until)) INTO told FROM feed_followers WHERE disabled_at IS NULL;
    WITH waiting AS (
        SELECT id FROM status_changes WHERE position IS NULL ORDER BY id LIMIT most
    ), placed AS (
        SELECT id, row_number() OVER (ORDER BY id) AS place FROM waiting
    )
    UPDATE status_changes s
       SET position = last + placed.place,
           bulk = s.bulk OR (told IS NOT NULL AND EXISTS (
               SELECT FROM status_changes e
                WHERE e.contact_id = s.contact_id AND e.id < s.id AND e.bulk
                  AND (e.position IS NULL OR e.position > told)
           ))
      FROM placed WHERE s.id = placed.id;
    GET DIAGNOSTICS numbered = ROW_COUNT;
    UPDATE status_feed SET last_position = last + numbered;
    RETURN numbered;
END
$$;
