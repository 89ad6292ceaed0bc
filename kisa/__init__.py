"""KISA, knowledge-informed trajectory synthesis: from an ontology to questions with proved answers, and guided
trajectories (arXiv 2508.14880)."""
