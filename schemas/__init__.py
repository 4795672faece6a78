"""Every contract: events, envelopes, words, log events, messages, the API's description, the tables."""
