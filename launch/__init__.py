"""Commands, recipes and everything that puts the parts together."""
