-- What callers say of the contacts that they add: tags, and whose address it is. People and addresses are many to many.
-- Nothing here forbids or allows anything. Written by the transaction that decides about the contact, under its lock.
-- depends: 0016_consent

CREATE TABLE contact_tags (
    contact_id bigint NOT NULL,
    tag text NOT NULL,
    added_at timestamptz NOT NULL,
    act_id bigint NOT NULL REFERENCES acts,
    PRIMARY KEY (contact_id, tag)
);

CREATE TABLE people (
    account text NOT NULL,
    person text NOT NULL,              -- the id of the person in the caller's system
    contact_id bigint NOT NULL,
    field text NOT NULL,               -- what the caller calls this address of the person: email_1, phone; '' for nothing
    added_at timestamptz NOT NULL,
    act_id bigint NOT NULL REFERENCES acts,
    PRIMARY KEY (account, person, contact_id, field)
);
CREATE INDEX people_of_contact ON people (contact_id);
