-- What came in for all accounts together has rows of its own, and a queue that cannot be measured has no depth.
-- depends: 0027_intake

-- The account '' stands for all of them: a webhook with events of forty accounts counts once there. What is known so far
-- is the sum, in which such a webhook counts forty times: two counts tell a rate, and all later ones are right.
INSERT INTO intake (account, source, webhooks, last_received_at)
SELECT '', source, sum(webhooks), max(last_received_at) FROM intake WHERE account <> '' GROUP BY source
    ON CONFLICT DO NOTHING;

ALTER TABLE processor_signs ALTER COLUMN waiting_parcels DROP NOT NULL;
