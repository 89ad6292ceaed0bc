"""Pages served on loopback: the dashboard of a run, its review, and an agent to ask."""
