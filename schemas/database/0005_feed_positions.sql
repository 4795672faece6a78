-- The feed of status changes counts its lines itself, so that a place in it means the same in every copy of the
-- database: after a dump was restored, a replica took over, or Postgres was upgraded.
-- depends: 0003_replay_tokens

ALTER TABLE status_changes
    -- Random: it tells repeated messages, and whether a cursor's line is the one that the reader has seen.
    ADD COLUMN message_id uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Its place in the feed, given once its transaction has committed; NULL until then.
    ADD COLUMN position bigint;

UPDATE status_changes s SET position = o.position
  FROM (SELECT id, row_number() OVER (ORDER BY transaction_id, id) AS position FROM status_changes) o
 WHERE o.id = s.id;

-- The index status_changes_feed goes with the column: transaction numbers belong to one Postgres cluster.
ALTER TABLE status_changes DROP COLUMN transaction_id;

CREATE UNIQUE INDEX status_changes_position ON status_changes (position) WHERE position IS NOT NULL;
CREATE INDEX status_changes_without_position ON status_changes (id) WHERE position IS NULL;

-- How far the feed has got. One row; whoever holds its lock gives positions.
CREATE TABLE status_feed (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_position bigint NOT NULL
);

INSERT INTO status_feed (last_position) SELECT count(*) FROM status_changes;

-- Gives the next positions to up to `most` committed changes without one; returns how many got one. One statement
-- of the caller's is one transaction: nobody holds the lock while he thinks. While another is at it, returns 0.
-- A change that is not committed yet is not seen, and gets a later position. Changes of one contact are committed
-- in the order of their ids, because its row is locked, and so come in that order.
CREATE FUNCTION number_status_changes(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
    numbered bigint;
BEGIN
    SELECT last_position INTO last FROM status_feed FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    -- A statement of its own: it sees what the holder before us has committed.
    WITH waiting AS (
        SELECT id FROM status_changes WHERE position IS NULL ORDER BY id LIMIT most
    ), placed AS (
        SELECT id, row_number() OVER (ORDER BY id) AS place FROM waiting
    )
    UPDATE status_changes s SET position = last + placed.place FROM placed WHERE s.id = placed.id;
    GET DIAGNOSTICS numbered = ROW_COUNT;
    UPDATE status_feed SET last_position = last + numbered;
    RETURN numbered;
END
$$;
