"""Normal forms: when two spellings of a name, an identifier, a quantity or a date are the same thing.

Errs on the side of "different": a miss costs one reward, a false match teaches the policy to be wrong.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψω",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi "
        "chi psi omega".split(),
        strict=True,
    )
)
_LETTERS = str.maketrans(
    {letter: name for low, name in _GREEK.items() for letter in (low, low.upper())}
    | {"ς": "sigma", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
    | dict.fromkeys("‐‑‒–—−", "-")
    | dict.fromkeys("’‘ʼ`´", "'")
    | {"≤": "<=", "≥": ">="}
)
_POSSESSIVE = re.compile(r"(?<=\w)'s\b", re.I)
_TOKEN = re.compile(r"\d+(?:\.\d+)+|[^\W_]+|(?<=\d)/(?=\d)|(?<=\w)[+-](?!\w)|<=?|>=?|%")
_WORDS = {"+": "plus", "-": "minus", "%": "percent", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_TYPE_WORDS = {"type", "subtype", "factor", "class", "stage", "grade", "phase", "group", "complex", "category"}
_ROMAN = {
    numeral: str(value)
    for value, numeral in enumerate(
        "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix".split(), start=1
    )
}
_ROMAN_LETTER = re.compile(r"([ivx]+)([a-e]?)")


@lru_cache(maxsize=8192)
def normalise(text: str) -> str:
    """A name's normal form: case, accents, punctuation, Greek letters, articles, possessives, plural -s, British
    spelling and Roman numerals no longer matter; signs (+, -, <, >, %) and every digit do.

        "The Ehlers–Danlos syndromes, type IV" -> "ehlers danlos syndrome type 4"
    """
    if text.isascii():  # as most is, and then nothing else below could change
        text = text.replace("`", "'")
    else:
        text = unicodedata.normalize("NFKC", text).translate(_LETTERS)
        text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    text = _POSSESSIVE.sub("", text).replace("'", "")
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        word = _WORDS.get(token, token.casefold())
        if not token.isupper() or len(token) > 7:  # gene symbols keep their last S and their vowels
            word = _singular(_american(word))
        tokens.append(_arabic(word, tokens[-1] if tokens else ""))
    tokens = [token for token in tokens if token != "the"]
    if len(tokens) > 1 and tokens[0] in ("a", "an"):
        tokens = tokens[1:]
    return " ".join(tokens)


def _american(word: str) -> str:
    if len(word) < 6 or not word.isalpha():
        return word
    return re.sub(r"our(s?)$", r"or\1", word.replace("ae", "e").replace("oe", "e"))


def _singular(word: str) -> str:
    ends = ("ss", "us", "is", "os") if word.endswith("omas") else ("ss", "us", "is", "as", "os")  # tumours are plural
    if len(word) < 5 or not word.isalpha() or word.endswith(ends) or not word.endswith("s"):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]


def _arabic(word: str, before: str) -> str:
    """Roman to arabic where it can only be a number: after "type" and its like, or ii to xix inside a name."""
    after_type = before in _TYPE_WORDS
    found = _ROMAN_LETTER.fullmatch(word)
    if not before or found is None or found[1] not in _ROMAN:
        return word
    if found[2]:
        return _ROMAN[found[1]] + found[2] if after_type else word
    after_word = word == "i" and before.isalpha() and len(before) > 2
    return _ROMAN[word] if after_type or after_word or (len(word) > 1 and word in _ROMAN) else word


def compact(normal: str) -> str:
    """Without spaces, so that "il 6" is "il6" and "beta blocker" is "betablocker".

    Two numbers stay apart ("1 12" is not "11 2"), and so do the words of a short name (MT-TP and MTTP are two genes).
    """
    joined = re.sub(r"(?<=\d) (?!\d)|(?<!\d) (?=\d)", "", normal)
    return re.sub(r"(?<!\d) (?!\d)", "", joined) if len(joined) > 8 else joined


def mentions(text: str, name: str) -> bool:
    """Whether `text` names `name`, whole words only.

    A name in capitals (a gene symbol) must be in capitals in the text, too: SET is not "set".
    """
    symbol = name.strip()
    if symbol.isupper() and symbol.isalnum():
        return _has_word(text, symbol)
    normal = normalise(name)
    return bool(normal) and f" {normal} " in f" {normalise(text)} "


def _has_word(text: str, word: str) -> bool:
    """Whether `word` stands in `text` as it is written, with no letter or digit before or after it."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not text[at - 1 : at].isalnum() and not text[end : end + 1].isalnum():
            return True
        at = text.find(word, at + 1)
    return False


_SCHEMES = (
    ("NCT", re.compile(r"\bNCT[\s:#]*(\d{8})\b", re.I)),
    ("PMID", re.compile(r"\b(?:PMID|PubMed(?:\s*ID)?)[\s:#]*(\d{1,8})\b", re.I)),
    ("PMID", re.compile(r"\bpubmed(?:\.ncbi\.nlm\.nih\.gov)?/(\d{1,8})\b", re.I)),
    ("PMC", re.compile(r"\bPMC[\s:#]*(\d{3,9})\b", re.I)),
    ("HP", re.compile(r"\bHP[\s:_]*(\d{7})\b", re.I)),
    ("MONDO", re.compile(r"\bMONDO[\s:_]*(\d{7})\b", re.I)),
    ("OMIM", re.compile(r"\bO?MIM[\s:#]*(\d{6})\b", re.I)),
    ("ORPHA", re.compile(r"\bORPHA(?:NET)?[\s:#]*(\d{1,6})\b", re.I)),
    ("DECIPHER", re.compile(r"\bDECIPHER[\s:#]*(\d{1,6})\b", re.I)),
    ("HGNC", re.compile(r"\bHGNC[\s:#]*(\d{1,6})\b", re.I)),
    ("NCBIGENE", re.compile(r"\b(?:NCBI[\s_]?Gene|Entrez(?:\s*Gene)?)[\s:#]*(\d{1,9})\b", re.I)),
    ("MESH", re.compile(r"\bMeSH[\s:#]*([CD]\d{6,9})\b", re.I)),
    ("DOI", re.compile(r"\b(10\.\d{4,9}/[^\s,;)\]]+[^\s,;.)\]])", re.I)),
)
#: Each with the link that it may be a part of.
_LINKED = tuple(re.compile(rf"(?:https?://\S*?)?{pattern.pattern}/?", re.I) for _, pattern in _SCHEMES)


def identifiers(text: str) -> tuple[frozenset[str], str]:
    """The identifiers in `text` as "SCHEME:number", and the text without them (links to them go, too)."""
    found: set[str] = set()
    for (scheme, pattern), linked in zip(_SCHEMES, _LINKED, strict=True):
        numbers = pattern.findall(text)
        if numbers:
            found.update(f"{scheme}:{number.upper()}" for number in numbers)
            text = linked.sub(" ", text)
    return frozenset(found), text.strip(" .,:;()[]#/-")


_UNITS: dict[str, tuple[str, Decimal]] = {
    name: (dimension, Decimal(factor))
    for dimension, factor, names in (
        ("mass", "1000000", "t tonne"),
        ("mass", "1000", "kg kilogram"),
        ("mass", "1", "g gram"),
        ("mass", "0.001", "mg milligram"),
        ("mass", "0.000001", "ug mcg mug microgram"),
        ("mass", "0.000000001", "ng nanogram"),
        ("volume", "1000", "m3"),
        ("volume", "1", "l liter litre dm3"),
        ("volume", "0.1", "dl deciliter decilitre"),
        ("volume", "0.001", "ml milliliter millilitre cm3 cc"),
        ("time", "1", "s sec second"),
        ("time", "60", "min minute"),
        ("time", "3600", "h hr hour"),
        ("time", "86400", "d day"),
        ("time", "604800", "w wk week"),
        ("calendar", "1", "mo month"),
        ("calendar", "12", "y yr year"),
        ("length", "1000", "km kilometer kilometre"),
        ("length", "1", "m meter metre"),
        ("length", "0.01", "cm centimeter centimetre"),
        ("length", "0.001", "mm millimeter millimetre"),
        ("substance", "1", "mol mole"),
        ("substance", "0.001", "mmol millimole"),
        ("substance", "0.000001", "umol mumol micromole"),
        ("substance", "0.000000001", "nmol nanomole"),
        ("dollars", "1", "usd"),
        ("yuan", "1", "cny"),
        ("", "0.01", "% percent"),
    )
    for name in names.split()
}
_NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split(),
    )
}
_QUANTITY = re.compile(
    r"(?P<bound><=?|>=?|~|≈)?\s*(?P<value>[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:e[+-]?\d{1,3})?)"
    r"(?:\s*(?:/|:|\bin\b|\bper\b)\s*(?P<per>\d{1,3}(?:,\d{3})+|\d+))?\s*(?P<unit>%|[a-z]+\d?(?:[ /][a-z]+\d?)?)?"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit. `bound` is "<", ">=" … or ""; `step` is half a unit in the last place written."""

    value: Decimal
    step: Decimal
    unit: str
    bound: str

    def agrees(self, gold: "Quantity") -> bool:
        """Whether self, as an answer, is `gold`: exact for whole numbers; decimals may be written to more places, up to
        half of gold's last place and 1%. Units convert (12 months are a year); one of the two may lack a known unit."""
        if self.bound != gold.bound:
            return False
        may_lack = (not self.unit and _is_known(gold.unit)) or (not gold.unit and " " not in self.unit)
        if (self.unit == gold.unit or may_lack) and _near(self.value, gold.value, gold.step):
            return True
        own_dimension, own_factor = _dimension(self.unit)
        gold_dimension, gold_factor = _dimension(gold.unit)
        if own_dimension != gold_dimension:
            return False
        return _near(self.value * own_factor, gold.value * gold_factor, gold.step * gold_factor)


def _is_known(unit: str) -> bool:
    return all(part in _UNITS for part in unit.split("/"))


def _dimension(unit: str) -> tuple[str, Decimal]:
    """What a unit measures, and how much of it: "mg/kg" is ("mass/mass", 1e-6); an unknown unit is its own."""
    if not unit or not _is_known(unit):
        return unit, Decimal(1)
    over, *under = (_UNITS[part] for part in unit.split("/"))
    factor = over[1]
    for _, part in under:
        factor /= part
    return "/".join((over[0], *(dimension for dimension, _ in under))), factor


def _near(value: Decimal, gold: Decimal, step: Decimal) -> bool:
    return abs(value - gold) <= min(step, abs(gold) * Decimal("0.01"))


def quantity(text: str) -> Quantity | None:
    """Read "5 %", "1,234 patients", "1 in 2,000", "1.5 x 10^-6", "< 3 mg"; None if `text` is anything else."""
    text = unicodedata.normalize("NFKC", text).translate(_LETTERS).casefold().strip(" !\"'*$").rstrip(" .!\"'*")
    text = re.sub(r"\s*[x×]\s*10\s*\^?\s*([+-]?\d+)", r"e\1", text)  # of more than 3 digits: no quantity, nor a crash
    text = re.sub(r"(?<=[a-z]) per (?=[a-z])", "/", text.replace("°", " deg ").replace("^", ""))
    text = " ".join(_NUMBER_WORDS.get(word, word) for word in text.split())
    found = _QUANTITY.fullmatch(text)
    if found is None or not re.search(r"\d", found["value"]):
        return None
    unit = found["unit"] or ""
    if set(unit.split()) & {"or", "and", "to", "not"}:
        return None
    value = Decimal(found["value"].replace(",", ""))
    exponent = value.as_tuple().exponent
    is_decimal = isinstance(exponent, int) and exponent < 0
    step = Decimal(0) if not is_decimal else Decimal(5).scaleb(int(exponent) - 1)
    if found["per"]:
        per = Decimal(found["per"].replace(",", ""))
        if per == 0:
            return None
        value, step = value / per, step / per
    unit = "/".join(_one(part) for part in unit.split("/"))
    return Quantity(value, step, unit, "" if found["bound"] in (None, "~", "≈") else found["bound"])


def _one(unit: str) -> str:
    if unit in _UNITS:
        return unit
    return unit[:-1] if unit[:-1] in _UNITS and unit.endswith("s") else _singular(unit)


_MONTHS = {
    name: number
    for number, names in enumerate(
        "jan january,feb february,mar march,apr april,may,jun june,jul july,aug august,sep sept september,oct october,"
        "nov november,dec december".split(","),
        start=1,
    )
    for name in names.split()
}
_DATES = (
    re.compile(r"(?P<y>\d{4})(?:[-/](?P<m>\d{1,2})(?:[-/](?P<d>\d{1,2}))?)?"),
    re.compile(r"(?P<name>[a-z]+)\.? (?:(?P<d>\d{1,2})(?:st|nd|rd|th)?,? )?(?P<y>\d{4})"),
    re.compile(r"(?P<d>\d{1,2})(?:st|nd|rd|th)?(?: of)? (?P<name>[a-z]+)\.?,? (?P<y>\d{4})"),
)


def date(text: str) -> tuple[int, ...] | None:
    """(year,), (year, month) or (year, month, day); None for anything else, 03/04/2021 included: it is ambiguous."""
    text = " ".join(text.casefold().replace(",", ", ").strip(" .!\"'*").split())
    for pattern in _DATES:
        found = pattern.fullmatch(text)
        if found is None:
            continue
        parts = found.groupdict()
        month = _MONTHS.get(parts["name"]) if parts.get("name") else int(parts["m"]) if parts.get("m") else None
        if parts.get("name") and month is None:
            return None
        year, day = int(parts["y"]), int(parts["d"]) if parts.get("d") else None
        if (month is not None and not 1 <= month <= 12) or (day is not None and not 1 <= day <= 31):
            return None
        return tuple(part for part in (year, month, day) if part is not None)
    return None
