-- In which trace a webhook was processed that has changed statuses: whoever announces the changes goes on with it.
-- depends: 0024_forgetting_acts

-- Written only for webhooks that are traced, and forgotten after a day. A crash of Postgres may lose it: no status
-- depends on it. A webhook may have several rows, all in the same trace, so that no batch waits for another one's.
CREATE UNLOGGED TABLE delivery_traces (
    delivery_id uuid NOT NULL,
    traceparent text NOT NULL,    -- as W3C Trace Context has it
    tracestate text NOT NULL,
    noted_at timestamptz NOT NULL
);

CREATE INDEX delivery_traces_delivery ON delivery_traces (delivery_id);
