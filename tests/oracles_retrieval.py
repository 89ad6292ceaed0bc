"""Slow scalar versions of the retriever's formulas, straight from their definitions."""

import math
from collections.abc import Sequence


def okapi(query: Sequence[str], texts: Sequence[Sequence[str]], k1: float = 1.5, b: float = 0.75) -> list[float]:
    """BM25 of each text, one word and one text at a time; a quarter of the average idf where it would be below 0."""
    average = sum(map(len, texts)) / len(texts)

    def plain_idf(word: str) -> float:
        holding = sum(word in other for other in texts)
        return math.log((len(texts) - holding + 0.5) / (holding + 0.5))

    vocabulary = {word for text in texts for word in text}
    least = 0.25 * math.fsum(map(plain_idf, vocabulary)) / len(vocabulary)
    scores = []
    for text in texts:
        total = 0.0
        for word in query:
            if word not in vocabulary:
                continue
            idf = least if plain_idf(word) < 0 else plain_idf(word)
            often = text.count(word)
            total += idf * often * (k1 + 1) / (often + k1 * (1 - b + b * len(text) / average))
        scores.append(total)
    return scores


def mean_pooled(states: Sequence[Sequence[float]], mask: Sequence[int]) -> list[float]:
    """Unit-length mean of the states whose mask is 1."""
    kept = [state for state, on in zip(states, mask, strict=True) if on]
    mean = [sum(values) / len(kept) for values in zip(*kept, strict=True)]
    norm = math.sqrt(sum(value * value for value in mean))
    return [value / norm for value in mean]
