-- A re-fold ends where its facts are those of a checkpoint behind all that came late.
-- depends: 0017_annotating_entries

-- Checkpoints up to the place reached know what came late, those behind it do not.
ALTER TABLE refolds
    ADD COLUMN late_at timestamptz,    -- these three are the last place that came late; NULL: it reads to the end
    ADD COLUMN late_rank smallint,
    ADD COLUMN late_key bytea;
