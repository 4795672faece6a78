-- What became of a campaign's message to each of its recipients. Kept beside the log: nothing is folded from it, and no
-- status depends on it.
-- depends: 0021_old_raw

-- A row stays as long as the account: processes remember the ids.
CREATE TABLE campaigns (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    name text NOT NULL,                -- the id of the campaign at whoever sent it
    known_since timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account, name)
);

-- Each moment is the earliest one that was reported, so that neither order nor repeats matter; NULL: nobody told of it.
-- Written by the transaction that stores the event, under its contact's lock.
CREATE TABLE campaign_recipients (
    contact_id bigint NOT NULL,
    campaign_id integer NOT NULL,
    first_at timestamptz NOT NULL,     -- of whatever was reported of this message
    delivered_at timestamptz,
    opened_at timestamptz,             -- by a person, as clicked_at
    clicked_at timestamptz,
    soft_bounced_at timestamptz,
    hard_bounced_at timestamptz,
    error_at timestamptz,              -- refused because of the sender, or not tried
    complaint_at timestamptz,
    unsubscribed_at timestamptz,
    PRIMARY KEY (campaign_id, contact_id)
) WITH (fillfactor = 80);              -- a row grows two or three times, in its page

CREATE INDEX campaign_recipients_of_contact ON campaign_recipients (contact_id);
-- Few recipients have one of these, and they are asked for.
CREATE INDEX campaign_recipients_with_trouble ON campaign_recipients (campaign_id, contact_id)
    WHERE soft_bounced_at IS NOT NULL OR hard_bounced_at IS NOT NULL OR error_at IS NOT NULL
       OR complaint_at IS NOT NULL OR unsubscribed_at IS NOT NULL;
-- For the retention: a few bytes for each megabyte, as rows come in nearly in this order.
CREATE INDEX campaign_recipients_first_at ON campaign_recipients USING brin (first_at)
    WITH (pages_per_range = 32, autosummarize = on);
