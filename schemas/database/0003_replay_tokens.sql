-- One-time tokens that vendors sign instead of the body (Mailgun), and what each was used for. A receiver remembers
-- those that it has seen; this table also knows what the others have seen, and what was seen before a restart.
-- depends: 0002_parked_deliveries

CREATE TABLE replay_tokens (
    source text NOT NULL,
    token_hash bytea NOT NULL,         -- 16 bytes of blake2b: the token itself is nobody's business
    fingerprint text NOT NULL,         -- what it was used for
    expires_at timestamptz NOT NULL,   -- the vendor's age limit refuses it from then on
    PRIMARY KEY (source, token_hash)
);

CREATE INDEX replay_tokens_expiry ON replay_tokens (expires_at);
