"""The commands of `bouncekeeper`: one module each, imported only when called. Shared code is in support."""
