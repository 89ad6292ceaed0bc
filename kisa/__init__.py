"""KISA: from an ontology to questions with proved answers, and guided trajectories (spec section 3)."""
