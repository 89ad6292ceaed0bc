"""How anything outside this machine is asked: endpoints of language models, services, pages of the web."""
