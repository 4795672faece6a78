-- Which accounts there are, and who may ask about them: a question or an event that names an unknown account is a
-- mistake. Whoever may ask about one account is told nothing of another one.
-- depends: 0010_contact_spelling

-- Nothing refers to an account by a foreign key: a batch of events must not lock its row.
CREATE TABLE accounts (
    name text COLLATE "C" PRIMARY KEY CHECK (name <> ''),  -- never changes
    since timestamptz NOT NULL,
    added_by text NOT NULL,            -- a person, 'configuration', or the source whose event named it
    time_zone text NOT NULL DEFAULT 'UTC',  -- a name of pg_timezone_names: its days begin and end there
    summary_recipients text[] NOT NULL DEFAULT '{}'
);

INSERT INTO accounts (name, since, added_by)
SELECT account, min(first_seen_at), 'contacts' FROM contacts WHERE account <> '' GROUP BY account;

-- What callers of the API identify themselves with. The text is shown once, when it is made, and not kept.
CREATE TABLE tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),  -- SHA-256 of the text, which is 256 random bits
    prefix text NOT NULL,              -- how the text begins, by which a person recognises it
    name text NOT NULL CHECK (name <> '' AND length(name) <= 200),
    account text COLLATE "C" REFERENCES accounts,  -- NULL: all accounts
    role text NOT NULL CHECK (role IN ('reader', 'operator', 'administrator')),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    last_used_at timestamptz,          -- within a minute or so
    revoked_at timestamptz,
    revoked_by text
);

-- Of several tokens with one name a person could revoke the wrong one.
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;

-- Whoever may read one account follows the changes of that account alone, without reading those of all others.
-- Set with the position: NULL until then.
ALTER TABLE status_changes ADD COLUMN account text COLLATE "C";
UPDATE status_changes s SET account = c.account FROM contacts c WHERE c.id = s.contact_id AND s.position IS NOT NULL;
CREATE INDEX status_changes_account ON status_changes (account, position) WHERE position IS NOT NULL;

-- The rule that came with the webhook: replayed, its events are of the same accounts.
ALTER TABLE dead_letters ADD COLUMN account_from text NOT NULL DEFAULT '';

-- As in 0008, and the change's account beside its position.
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
           account = (SELECT c.account FROM contacts c WHERE c.id = s.contact_id),
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
