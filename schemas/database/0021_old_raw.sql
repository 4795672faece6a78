-- Finds the events that still have their own words, as the vendor wrote them, by their age (worker/store/old_raw.py).
-- depends: 0019_safelist_requests

CREATE INDEX entries_with_raw ON entries (received_at) WHERE raw IS NOT NULL;
CREATE INDEX calm_events_with_raw ON calm_events (received_at) WHERE raw IS NOT NULL;
CREATE INDEX kept_calm_events_with_raw ON kept_calm_events (received_at) WHERE raw IS NOT NULL;
CREATE INDEX nameless_events_with_raw ON nameless_events (received_at) WHERE raw IS NOT NULL;
