-- One contact has one key: how far the contacts were looked through for addresses in a former spelling, which `migrate`
-- gives today's, joining contacts that turn out to be one (worker/contacts/respelling.py).
-- depends: 0004_event_identity

-- One row; whoever renames or joins contacts holds its lock. A version that spells addresses another way again sets
-- looked_at_to back to 0.
CREATE TABLE contact_spelling (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    looked_at_to bigint NOT NULL       -- the id up to which every contact has today's spelling
);
INSERT INTO contact_spelling (looked_at_to) VALUES (0);
