"""Auth(d): ordered by evidence, bounded, too flat to outweigh relevance."""

import itertools
from dataclasses import replace

import pytest

from envs.authority import EVIDENCE_PENALTY, SOURCE_PENALTY, authority
from tests.envs.small import DOCUMENTS

ALL = [
    replace(DOCUMENTS[0], evidence=evidence, source=source)
    for evidence, source in itertools.product([*EVIDENCE_PENALTY, "NEW"], [*SOURCE_PENALTY, "elsewhere"])
]


@pytest.mark.parametrize("source", SOURCE_PENALTY)
def test_better_evidence_never_ranks_lower(source: str) -> None:
    study, author, electronic, none = (
        authority(replace(DOCUMENTS[0], evidence=code, source=source)) for code in ("PCS", "TAS", "IEA", "")
    )
    assert study > author > electronic >= none


def test_bounds_and_spread_within_the_medical_corpus() -> None:
    assert all(0.0 <= authority(document) <= 1.0 for document in ALL)
    medical = [authority(each) for each in ALL if each.source not in ("web", "elsewhere")]
    # At λ = 0.4 the widest gap in Auth must not outweigh 0.1 of relevance: 0.6·gap <= 0.4·0.1.
    assert max(medical) - min(medical) <= 0.4 * 0.1 / 0.6 + 1e-9


def test_unknown_source_ranks_with_the_lowest() -> None:
    assert authority(replace(DOCUMENTS[0], source="elsewhere")) == authority(replace(DOCUMENTS[0], source="web"))
