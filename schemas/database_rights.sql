-- What the roles of deploy/postgres-roles.sql may do. `bouncekeeper migrate` runs it, as the owner of the tables, in one
-- transaction; a role that is not there is passed over. Each role loses what else it had. A new table is added here:
-- tests/store/test_process_roles.py asks for it.

-- Of a dump that was restored without rights, everybody could call them.
REVOKE EXECUTE ON FUNCTION
    forget_idle_act, make_month_of_calm_events, retire_month_of_calm_events, drop_month_of_calm_events
    FROM PUBLIC;

DO $$
DECLARE
    role text;
    everything CONSTANT text[] := ARRAY[
        'bouncekeeper_receiver', 'bouncekeeper_processor', 'bouncekeeper_api', 'bouncekeeper_operator',
        'bouncekeeper_reader'
    ];
BEGIN
    FOR role IN SELECT rolname FROM pg_roles WHERE rolname = ANY (everything) LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', current_schema(), role);
        EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA %I FROM %I', current_schema(), role);

        CASE role
        WHEN 'bouncekeeper_receiver' THEN
            GRANT INSERT (lane, parcel) ON parked_deliveries TO bouncekeeper_receiver;

        WHEN 'bouncekeeper_processor' THEN
            GRANT SELECT ON _yoyo_migration, kinds, former_event_keys, log TO bouncekeeper_processor;
            GRANT SELECT, INSERT, UPDATE, DELETE ON
                accounts, acts, arrival_dated_events, calm_events, campaign_recipients, campaigns, checkpoints,
                contact_spelling, contact_tags, contacts, daily_summaries, dead_letters, delivery_traces, dictionaries, entries,
                feed_followers, intake, job_parts, jobs,
                kept_calm_events, nameless_events, parcel_attempts, parked_deliveries, people, policies, processor_signs,
                queue_lanes, refolds, replay_tokens, safelist_requests, status_changes, status_feed, summary_mails, words
                TO bouncekeeper_processor;
            GRANT EXECUTE ON FUNCTION
                forget_idle_act, make_month_of_calm_events, retire_month_of_calm_events, drop_month_of_calm_events
                TO bouncekeeper_processor;

        WHEN 'bouncekeeper_api' THEN
            GRANT SELECT ON
                _yoyo_migration, accounts, acts, arrival_dated_events, calm_events, campaign_recipients, campaigns,
                checkpoints, contact_spelling, contact_tags, contacts, daily_summaries, dead_letters, dictionaries, entries, feed_followers,
                former_event_keys, intake, job_parts, jobs, kept_calm_events, kinds, log, nameless_events, people, policies,
                processor_signs, refolds, safelist_requests, status_changes, status_feed, summary_mails, tokens, words
                TO bouncekeeper_api;
            GRANT SELECT (lane, lent_until) ON parked_deliveries TO bouncekeeper_api;
            -- What people and applications decide, under the lock of its contact. An entry without a delivery_id is
            -- a decision, of an act: the table refuses any other.
            GRANT INSERT (
                contact_id, occurred_at, received_at, act_id, cause, rank, reader_version, machine, entry_key, scope,
                beside, detail
            ) ON entries TO bouncekeeper_api;
            GRANT INSERT ON words TO bouncekeeper_api;
            GRANT INSERT, UPDATE ON acts, contacts, safelist_requests, status_changes TO bouncekeeper_api;
            GRANT INSERT, UPDATE, DELETE ON contact_tags, people TO bouncekeeper_api;
            GRANT INSERT, UPDATE, DELETE ON checkpoints, refolds TO bouncekeeper_api;
            GRANT EXECUTE ON FUNCTION forget_idle_act TO bouncekeeper_api;
            -- The feed gives changes their place when they are first asked for.
            GRANT UPDATE ON status_feed TO bouncekeeper_api;
            GRANT UPDATE (last_used_at) ON tokens TO bouncekeeper_api;

        WHEN 'bouncekeeper_operator' THEN
            EXECUTE format(
                'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), role
            );
            GRANT EXECUTE ON FUNCTION
                forget_idle_act, make_month_of_calm_events, retire_month_of_calm_events, drop_month_of_calm_events
                TO bouncekeeper_operator;

        WHEN 'bouncekeeper_reader' THEN
            EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), role);
            REVOKE SELECT ON tokens, replay_tokens, parked_deliveries, dead_letters FROM bouncekeeper_reader;
        END CASE;
    END LOOP;
END
$$;
