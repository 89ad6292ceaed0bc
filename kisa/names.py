"""Names of diseases, genes and findings: when two are the same, alike, or one gives the other away."""

import re
import unicodedata
from functools import lru_cache

_TOKEN = re.compile(r"[a-z0-9]+")
_EMPTY = frozenset("a an and by due for from in of on or the to type with without".split())
_GENERIC = frozenset("abnormal abnormality autosomal disease disorder dominant recessive syndrome linked x".split())


_LETTERS = "αβγδεζηθικλμνξπρστφχψωΔΩ"
_SPELT = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
_GREEK = str.maketrans(dict(zip(_LETTERS, f"{_SPELT} Delta Omega".split(), strict=True)))


def without_accents(text: str) -> str:
    """ "Sjögren" -> "Sjogren", "α-thalassemia" -> "alpha-thalassemia"."""
    if text.isascii():
        return text
    text = text.translate(_GREEK)
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))


@lru_cache(maxsize=1 << 17)
def tokens(name: str) -> tuple[str, ...]:
    """Words and numbers of a name in order, lower case, without accents."""
    return tuple(_TOKEN.findall(without_accents(name).lower()))


def normalise(name: str) -> str:
    """Equal for names that differ in case, punctuation or the order of inverted parts.

    >>> normalise("Corneal dystrophy, lattice type I") == normalise("Lattice corneal dystrophy type I")
    True
    """
    return " ".join(sorted(token for token in tokens(name) if token not in {"of", "the", "and"}))


@lru_cache(maxsize=1 << 17)
def content(name: str) -> frozenset[str]:
    """The words that tell this name from others: without articles, `syndrome` and the like, plural s and numbers."""
    kept = {token.rstrip("s") for token in tokens(name) if token not in _EMPTY | _GENERIC and not token.isdigit()}
    return frozenset(token for token in kept if len(token) > 1)


def alike(left: str, right: str) -> bool:
    """True when one name is nearly the other: half or more of the shorter one's telling words are shared."""
    a, b = content(left), content(right)
    if not a or not b:
        return normalise(left) == normalise(right)
    return 2 * len(a & b) >= min(len(a), len(b))


def natural_order(name: str) -> str:
    """An inverted name the way it is spoken: "Agammaglobulinemia, X-linked" -> "X-linked Agammaglobulinemia"."""
    head, comma, tail = name.partition(", ")
    return f"{tail} {head}" if comma and "," not in tail else name


def occurs(name: str, text: str) -> bool:
    """Whether `name` stands in `text` as whole words, whatever the case and punctuation."""
    wanted, found = tokens(name), tokens(text)
    return any(found[start : start + len(wanted)] == wanted for start in range(len(found) - len(wanted) + 1))
