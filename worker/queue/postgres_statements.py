"""The SQL statements of the Postgres queue, on its table parked_deliveries."""

from worker.store.named_statement import NamedStatement

PUT = "INSERT INTO parked_deliveries (lane, parcel) VALUES ($1, $2)"

# `ahead_lanes` were served ahead of others, each by `ahead_bytes`; the share is 'any', 'first' or 'rest'.
#
# `lanes` steps through the index from lane to lane; `heads` are the first parcels of each; `turns` is their order by
# fair queueing, where the turn of a parcel is what its lane will have been served before it. They are chosen without
# a lock and then locked: fewer come where another reader was quicker.
TAKE = NamedStatement("""
    WITH RECURSIVE lanes (lane) AS (
        (SELECT lane FROM parked_deliveries ORDER BY lane LIMIT 1)
        UNION ALL
        SELECT (SELECT next.lane FROM parked_deliveries AS next WHERE next.lane > lanes.lane ORDER BY next.lane LIMIT 1)
        FROM lanes WHERE lane IS NOT NULL
    ), asked AS (
        SELECT lane, lane LIKE 'bulk%' AS bulk FROM lanes
        WHERE lane IS NOT NULL AND CASE :share::text
            WHEN 'first' THEN cardinality(:busy::text[]) > 0 AND NOT (lane LIKE 'bulk%' OR lane = ANY (:busy::text[]))
            WHEN 'rest' THEN cardinality(:busy::text[]) = 0 OR lane LIKE 'bulk%' OR lane = ANY (:busy::text[])
            ELSE true
        END
    ), heads AS (
        SELECT asked.lane, asked.bulk, head.id, head.bytes
        FROM asked CROSS JOIN LATERAL (
            SELECT id, octet_length(parcel) AS bytes FROM parked_deliveries
            WHERE lane = asked.lane AND lent_until <= now() AND octet_length(parcel) <= :most_bytes_of_one::bigint
            ORDER BY id
            LIMIT CASE :share::text WHEN 'first' THEN 1 ELSE :most_parcels END
        ) AS head
    ), turns AS (
        SELECT heads.lane, id, bytes, coalesce(ahead, 0) + CASE WHEN bulk THEN :bulk_weight::float8 ELSE 1 END
            * (sum(bytes) OVER (PARTITION BY heads.lane ORDER BY id) - bytes) AS turn
        FROM heads
        LEFT JOIN unnest(:ahead_lanes::text[], :ahead_bytes::float8[]) AS served (lane, ahead)
            ON served.lane = heads.lane
    ), ordered AS (
        SELECT id, turn, sum(bytes) OVER (ORDER BY turn, lane, id) - bytes AS before FROM turns
    ), chosen AS (
        SELECT id, turn FROM ordered WHERE before < :most_bytes ORDER BY before LIMIT :most_parcels
    ), free AS MATERIALIZED (
        SELECT parked.id, turn
        FROM parked_deliveries AS parked JOIN chosen ON chosen.id = parked.id
        WHERE lent_until <= now()
        FOR UPDATE OF parked SKIP LOCKED
    )
    UPDATE parked_deliveries AS parked
    SET lent_to = :reader_id, lent_until = now() + make_interval(secs => :lease_seconds), times_lent = times_lent + 1
    FROM free
    WHERE parked.id = free.id
    RETURNING parked.id, parked.lane, free.turn, parked.times_lent, parked.parcel
""")

# A reader that acknowledges has committed the parcel. It is removed even if the lease has ended and another reader
# holds it now: otherwise two slow readers would take turns and never finish it.
ACKNOWLEDGE = "DELETE FROM parked_deliveries WHERE id = ANY ($1::bigint[]) AND lent_to <> 0"

GIVE_BACK = """
    UPDATE parked_deliveries SET lent_to = 0, lent_until = '-infinity'
    WHERE id = ANY ($1::bigint[]) AND lent_to = $2
"""

GIVE_ALL_BACK = """
    UPDATE parked_deliveries SET lent_to = 0, lent_until = '-infinity'
    WHERE lent_to = $1 AND lent_until > now()
"""

RECLAIM = """
    UPDATE parked_deliveries SET lent_to = 0, lent_until = '-infinity'
    WHERE id IN (
        SELECT id FROM parked_deliveries
        WHERE lent_until > now() AND NOT EXISTS (
            SELECT FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND classid = $1::integer::oid
                AND objid = lent_to::oid AND objsubid = 2
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        )
        ORDER BY id
        FOR UPDATE SKIP LOCKED
    )
"""

# pg_restore makes the indexes once all rows are there. Whoever may put may do nothing else, and is not asked for more.
CAN_PUT = """
    SELECT to_regclass('parked_deliveries_lane') IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pg_restore'
    ) AND coalesce(
        has_column_privilege(to_regclass('parked_deliveries'), 'lane', 'INSERT')
            AND has_column_privilege(to_regclass('parked_deliveries'), 'parcel', 'INSERT'),
        false
    )
"""

DEPTHS = """
    SELECT lane, count(*) AS parcels FROM parked_deliveries
    WHERE lent_until <= now()
    GROUP BY lane
"""
