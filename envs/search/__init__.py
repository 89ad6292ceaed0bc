"""Live providers of general search, behind the protocol of `envs.tools.web_search`."""
