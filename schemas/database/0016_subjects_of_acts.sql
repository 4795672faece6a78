-- Every act of a person has a row, also one that decides about no contact; and so has every job.
-- depends: 0015_refolds

ALTER TABLE acts ADD COLUMN subject text;  -- what was done to what, as `endpoints enable crm`; NULL: its decisions tell
ALTER TABLE jobs ADD COLUMN act_id bigint REFERENCES acts;  -- NULL: asked for before jobs had acts
