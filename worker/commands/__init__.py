"""The commands of `bouncekeeper`, a module each, imported only when called; what they share is in support."""
