"""A practice that does not exist: seeded check-ins with planted ruptures, and the truth about these ruptures."""
