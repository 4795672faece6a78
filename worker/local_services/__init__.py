"""Postgres and RabbitMQ on this machine, for a first look, tests and drills: found, started, ended."""
