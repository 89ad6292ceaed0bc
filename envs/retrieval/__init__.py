"""Documents to ranked documents: words, vectors, and how much weight a document carries."""
