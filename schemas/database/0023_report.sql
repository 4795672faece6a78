-- Finds failures and status changes by their time (worker/store/report_counts.py). Both tables grow in about the order of
-- these times, so that an index of less than a thousandth of the table skips what is older; several ranges for each
-- part of the table, because a late report of an old bounce would spoil a single one.
-- depends: 0022_campaigns 0022_months_by_function

CREATE INDEX entries_occurred_at ON entries
    USING brin (occurred_at timestamptz_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX status_changes_recorded_at ON status_changes
    USING brin (recorded_at timestamptz_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
