"""The IMAP edge: fetches mail, queues it, then flags it."""
