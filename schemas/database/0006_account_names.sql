-- Which accounts there are: a question about one that nobody names must not be answered as if it were empty.
-- depends: 0001_contacts_and_events

CREATE INDEX contacts_account ON contacts (account);
