-- Since when a contact has been mailed: NULL if no ESP has ever told of a message to it.
-- depends: 0017_people

ALTER TABLE contacts ADD COLUMN first_mailed_at timestamptz;

-- Of contacts that are there already the moment at which the first entry came in stands for it.
UPDATE contacts c SET first_mailed_at = first_seen_at
 WHERE base IS NOT NULL OR last_delivered_at IS NOT NULL OR last_opened_at IS NOT NULL OR last_clicked_at IS NOT NULL
    OR EXISTS (SELECT FROM entries e WHERE e.contact_id = c.id AND e.delivery_id IS NOT NULL)
    OR EXISTS (SELECT FROM calm_events e WHERE e.contact_id = c.id);
