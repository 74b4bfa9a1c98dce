"""A practice that does not exist: seeded check-ins with planted ruptures, and where they were planted."""
