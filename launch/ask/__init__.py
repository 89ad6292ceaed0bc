"""An agent that can be asked: episodes as they happen, an answer with its sources, and how sure it is of itself."""
