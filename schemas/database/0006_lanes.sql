-- Each source has a lane of its own in the queue, so that no source waits behind another.
-- depends: 0003_replay_tokens

-- The lanes that have, or had, a queue of their own in the broker, for which there is no list to be had from it. A
-- processor that does not know the source any more drains its queue all the same.
CREATE TABLE queue_lanes (
    name text PRIMARY KEY,             -- schemas/lane.py
    configured_at timestamptz NOT NULL -- when a processor last had the source in its configuration
);

ALTER TABLE parked_deliveries ADD COLUMN lane text COLLATE "C" NOT NULL DEFAULT 'live';

CREATE INDEX parked_deliveries_lane ON parked_deliveries (lane, id);
