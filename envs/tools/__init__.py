"""The agent's tools; `base.Tool` is their common shape."""
