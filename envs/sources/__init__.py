"""Where medical documents come from beside the ontology's own: live registries, and large corpora on disk."""
