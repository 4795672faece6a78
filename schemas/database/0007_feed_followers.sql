-- Whoever is sent the status changes follows the feed as its readers do, with a place in it that is kept here: the
-- relay to the broker's exchange, and each endpoint of webhooks out. The outbox, a second copy of every change, goes.
-- depends: 0005_feed_positions

-- Bulk work: what happened a while before it was written, as replays, imports and what an outage has piled up. Fresh
-- changes go ahead of it. Set where the change is written, or where its contact has bulk work on its way.
ALTER TABLE status_changes ADD COLUMN bulk boolean NOT NULL DEFAULT false;

CREATE TABLE feed_followers (
    name text PRIMARY KEY,
    -- Up to here everything is delivered: of the fresh changes, and of the bulk ones.
    fresh_position bigint NOT NULL,
    bulk_position bigint NOT NULL,
    -- Up to here both go in one order. A follower that is set back to an earlier place has changes before it that
    -- others had delivered already when they were told fresh from bulk.
    one_order_until bigint NOT NULL
) WITH (fillfactor = 50);

-- What waits in the outbox is announced with the message ids that it has there; the relay begins with the first.
UPDATE status_changes s SET message_id = o.message_id
  FROM (SELECT message_id, convert_from(body, 'UTF8')::jsonb AS said FROM outbox) o
  JOIN contacts c ON (c.address, c.account, c.channel)
       = (o.said ->> 'address', o.said ->> 'account', o.said ->> 'channel')
 WHERE s.contact_id = c.id
   AND s.new_status = o.said ->> 'new_status'
   AND date_trunc('milliseconds', s.recorded_at) = date_trunc('milliseconds', (o.said ->> 'recorded_at')::timestamptz);
INSERT INTO feed_followers (name, fresh_position, bulk_position, one_order_until)
SELECT 'exchange', min(s.position) - 1, min(s.position) - 1, (SELECT last_position FROM status_feed)
  FROM outbox o JOIN status_changes s ON s.message_id = o.message_id
HAVING min(s.position) IS NOT NULL;
DROP TABLE outbox;

-- As in 0005. Besides, a change of a contact whose bulk work some follower has yet to be told of is bulk work too: it
-- must not arrive before what came before it.
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
    -- Up to here no follower has bulk work before it that could be overtaken; NULL when there is no follower.
    SELECT min(greatest(bulk_position, one_order_until)) INTO told FROM feed_followers;
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
