"""The SQL of the contacts' database."""
