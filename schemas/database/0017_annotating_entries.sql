-- Which decisions about other entries a contact has is asked for each entry that comes late, however long the log is.
-- depends: 0015_refolds 0016_consent

CREATE INDEX entries_annotating ON entries (contact_id) WHERE rank >= 300;
