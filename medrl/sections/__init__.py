"""The sections of the configuration: what can be set, its range, and what contradicts what."""
