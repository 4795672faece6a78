-- An entry is a report, of a delivery, or a decision, of an act. Whoever may not say of which delivery an entry is, as
-- the API's role (database_rights.sql), can store decisions alone.
-- depends: 0024_forgetting_acts

-- The first test is all that a report costs. NOT VALID: the entries that are there are not read, of which a large table
-- has many; each new one is tested.
ALTER TABLE entries ADD CONSTRAINT entries_are_reports_or_decisions CHECK (
    delivery_id IS NOT NULL
    OR (rank >= 200 AND act_id IS NOT NULL AND detail IS NOT NULL
        AND detail ->> 'origin' IS DISTINCT FROM 'provider'
        AND (beside IS NULL OR beside - 'cause' = '{}'))
) NOT VALID;
