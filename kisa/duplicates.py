"""Questions that say the same: exactly, or nearly (MinHash over three-word shingles, then the exact Jaccard index)."""

from collections.abc import Mapping, Sequence

from datasketch import MinHash, MinHashLSH

from kisa.names import tokens

_SHINGLE = 3
_PERMUTATIONS = 128


def shingles(text: str, size: int = _SHINGLE) -> frozenset[tuple[str, ...]]:
    """All runs of `size` words, lower case, without punctuation; the whole text if it is shorter."""
    words = tokens(text)
    return frozenset(words[start : start + size] for start in range(max(1, len(words) - size + 1)))


def jaccard(left: frozenset[tuple[str, ...]], right: frozenset[tuple[str, ...]]) -> float:
    """|A ∩ B| / |A ∪ B|, in [0, 1]; 0 for two empty sets."""
    return len(left & right) / max(len(left | right), 1)


def exact_duplicates(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs (id, id met first) of texts with the same words in the same order."""
    first: dict[tuple[str, ...], str] = {}
    pairs = ((key, first.setdefault(tokens(text), key)) for key, text in texts.items())
    return [(key, earlier) for key, earlier in pairs if key != earlier]


def near_duplicates(texts: Mapping[str, str], threshold: float = 0.8) -> list[tuple[str, str]]:
    """Pairs (id, earlier id) whose shingles' Jaccard index is at least `threshold`, one pair for each later text.

    MinHash proposes, the exact index decides, so a pair is never wrong; one may be missed with a probability that
    falls steeply above the threshold.
    """
    index = MinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS)
    sets = {key: shingles(text) for key, text in texts.items()}
    pairs: list[tuple[str, str]] = []
    for key, content in sets.items():
        signature = MinHash(num_perm=_PERMUTATIONS)
        signature.update_batch([" ".join(each).encode() for each in content])
        alike = sorted(each for each in index.query(signature) if jaccard(content, sets[each]) >= threshold)
        if alike:
            pairs.append((key, alike[0]))
        index.insert(key, signature)
    return pairs


def contaminated(texts: Mapping[str, str], benchmark: Sequence[str], size: int = 8) -> list[str]:
    """Ids of the texts that share a run of `size` words with a benchmark's text."""
    known = {each for text in benchmark if len(tokens(text)) >= size for each in shingles(text, size)}
    return [key for key, text in texts.items() if not known.isdisjoint(shingles(text, size))]
