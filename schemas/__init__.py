"""Every contract: events, envelopes, vocabulary, log events, messages, the API's description, the tables."""
