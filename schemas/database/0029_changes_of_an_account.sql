-- Finds what has changed of one account within a span of time (worker/store/report_counts.py): the overview of an account
-- would else read the changes of all. A change has its account once it has its place in the feed.
-- depends: 0028_intake_of_all

CREATE INDEX status_changes_account_time ON status_changes (account, recorded_at) WHERE position IS NOT NULL;
