"""Ray actors, each its own process: thin shells over pure functions."""
