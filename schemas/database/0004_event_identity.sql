-- An event's key is the vendor's identity of the event alone; its order among others of the same instant is a rank of
-- its own. What takes effect in its order stays for as long as its contact.
-- depends: 0003_replay_tokens

-- schemas/kind_rank.py. NULL in rows of former versions: the first byte of a former key is a tenth of the rank.
ALTER TABLE events ADD COLUMN rank smallint;
ALTER TABLE contacts ADD COLUMN latest_rank smallint;
ALTER TABLE contacts ADD COLUMN latest_ordered_rank smallint;

-- Former keys differ from today's in their first byte (worker/providers/payload/event_key.py). They stay as they are:
-- events that occurred before this moment are looked for by both forms. The day is for processors of the former version
-- that still run while the others are started. No row: this database never had any.
CREATE TABLE former_event_keys (
    until timestamptz NOT NULL
);
INSERT INTO former_event_keys (until) SELECT now() + interval '1 day' WHERE EXISTS (SELECT FROM events);

-- Events whose key alone decides: those that were dated by their arrival, those that are known by an id of ours, and
-- those that name nobody. Their repeats may carry another time, and so would never meet in the primary key of events:
-- here they do. Two readings of one event were two rows until now: the earlier one stays.
DELETE FROM arrival_dated_events a USING arrival_dated_events b
 WHERE substring(a.event_key FROM 2) = substring(b.event_key FROM 2)
   AND (b.occurred_at, b.event_key) < (a.occurred_at, a.event_key);
UPDATE arrival_dated_events SET event_key = set_byte(event_key, 0, 128);

-- Events older than the retention that still have a say: bounces, opt-outs, complaints and resubscribes, and of
-- deliveries, opens and clicks those that clear or excuse strikes (worker/policy/thinning.py). The retention moves
-- them here before it drops their month; older ones that come in are put here at once. A contact's events are unique
-- by their key, whatever time a repeat names.
CREATE TABLE kept_events (
    LIKE events INCLUDING DEFAULTS,
    PRIMARY KEY (contact_id, event_key)
);

-- A base is no longer written; those of former versions are read as what was known before their oldest event.
UPDATE contacts
   SET base = convert_to((facts
           || CASE WHEN facts -> 'latest' IS NULL THEN '{}' ELSE jsonb_build_object('latest', jsonb_build_array(
                  facts -> 'latest' -> 0, get_byte(decode(facts -> 'latest' ->> 1, 'base64'), 0) * 10,
                  facts -> 'latest' -> 1)) END
           || CASE WHEN facts -> 'latest_ordered' IS NULL THEN '{}' ELSE jsonb_build_object('latest_ordered',
                  jsonb_build_array(facts -> 'latest_ordered' -> 0,
                  get_byte(decode(facts -> 'latest_ordered' ->> 1, 'base64'), 0) * 10,
                  facts -> 'latest_ordered' -> 1)) END)::text, 'UTF8')
  FROM (SELECT id AS contact_id, convert_from(base, 'UTF8')::jsonb AS facts FROM contacts WHERE base IS NOT NULL) b
 WHERE id = b.contact_id;
