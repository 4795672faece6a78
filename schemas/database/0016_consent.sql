-- Opt-outs in full: the kinds of events and decisions by which a person declines mail, or we take a contact off.
-- depends: 0014_checkpoints

INSERT INTO kinds (rank, kind) VALUES
    (130, 'prefers_fewer'), (140, 'declines_commercial'), (150, 'forbids_contact'), (230, 'unsubscribed_by_us'),
    (240, 'unsubscribed'), (270, 'declined_commercial'), (280, 'do_not_contact');

COMMENT ON COLUMN entries.beside IS
    'words that have no id, by the names of their columns; and `way`: how an opt-out came in';
