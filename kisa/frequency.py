"""How often a finding occurs in a disease, from HPO's annotations.

Several rows may speak of one pair. Fractions are pooled ("3/7" and "2/5" make 5/12); where there are none, the
percentages and the midpoints of HPO's frequency terms are averaged. A pooled 0 is evidence that the finding is absent,
unless another row says that it is there.
"""

from dataclasses import dataclass
from functools import lru_cache

#: HPO frequency terms: name, lower and upper bound as printed in the ontology.
TERMS = {
    "HP:0040280": ("obligate", 1.0, 1.0),
    "HP:0040281": ("very frequent", 0.80, 0.99),
    "HP:0040282": ("frequent", 0.30, 0.79),
    "HP:0040283": ("occasional", 0.05, 0.29),
    "HP:0040284": ("very rare", 0.01, 0.04),
    "HP:0040285": ("excluded", 0.0, 0.0),
}
BANDS = tuple(name for name, _, _ in list(TERMS.values())[:5])
#: Name of a frequency term -> its id.
TERM_OF = {name: identifier for identifier, (name, _, _) in TERMS.items()}
RANGES = {
    "obligate": "100%",
    "very frequent": "80-99%",
    "frequent": "30-79%",
    "occasional": "5-29%",
    "very rare": "1-4%",
}
#: P(finding | disease) where a finding is annotated and nothing says how often.
UNKNOWN = 0.5
#: How many patients that counts for beside those that were counted: "1/1" is no certainty, "119/251" nearly is.
UNKNOWN_PATIENTS = 2.0


@dataclass(frozen=True, slots=True)
class Frequency:
    """`probability` in [0, 1] or None where nobody says; `text` as it is shown ("5/12", "45%", "frequent")."""

    probability: float | None
    text: str

    @property
    def band(self) -> str | None:
        """The HPO class that the probability falls in; None where unknown or 0."""
        if not self.probability:
            return None
        return BANDS[sum(self.probability < bound for bound in (0.995, 0.80, 0.30, 0.05))]

    @property
    def clinical(self) -> dict[str, str]:
        """The figure as the `clinical` field of a relation; empty where unknown."""
        return {"frequency": self.text, "frequency_class": self.band} if self.band else {}


def expected(text: str) -> float:
    """P(finding | disease) behind a frequency as `Frequency.text` or an HPO term shows it; UNKNOWN for "".

    Counts update a Beta of mean UNKNOWN that weighs UNKNOWN_PATIENTS; its posterior mean is returned.
    """
    affected, is_count, examined = text.partition("/")
    if is_count:
        return (UNKNOWN * UNKNOWN_PATIENTS + int(affected)) / (UNKNOWN_PATIENTS + int(examined))
    return pool((TERM_OF.get(text, text),)).probability or UNKNOWN


@lru_cache(maxsize=1 << 16)
def pool(values: tuple[str, ...]) -> Frequency:
    """One figure from the `frequency` cells of all rows of a disease and finding."""
    observed = examined = 0
    percentages: list[tuple[float, str]] = []
    stated = False
    for value in values:
        if "/" in value:
            part, whole = map(int, value.split("/"))
            observed, examined = observed + min(part, whole), examined + whole
        elif value.endswith("%"):
            percentages.append((float(value[:-1]) / 100, value))
        elif value in TERMS:
            name, low, high = TERMS[value]
            percentages.append(((low + high) / 2, name))
        else:
            stated = True
    if examined and (observed or not (percentages or stated)):
        return Frequency(observed / examined, f"{observed}/{examined}")
    if percentages:
        mean = sum(probability for probability, _ in percentages) / len(percentages)
        return Frequency(min(mean, 1.0), percentages[0][1] if len(percentages) == 1 else f"{100 * mean:.0f}%")
    return Frequency(None, "")
