"""One seed -> one candidate question: grow its subgraph, take the longest valid chain, put it into words."""

import random
from collections.abc import Collection
from dataclasses import dataclass

from kisa.differential import clue_findings, shows_no_clue, with_clues
from kisa.expansion import Discover, grow
from kisa.graph import KnowledgeGraph
from kisa.paths import longest_valid_path
from kisa.proofs import flaw
from kisa.questions import Chain, chain_of, lay_name, question_of
from kisa.validity import Validity
from medrl.config import KisaConfig
from medrl.seeds import derive_seed
from medrl.types import Entity, Question, Split

#: Share of disease seeds that ask from findings together, as long as such questions are wanted.
_DIFFERENTIAL_SEEDS = 0.6


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a selection still lacks: chains of which lengths, and whether any of the two special forms."""

    hops: frozenset[int]
    differential: bool
    lay: bool


@dataclass(frozen=True)
class Candidates:
    """Makes candidates. All randomness comes from `seed`, the entity and the attempt."""

    graph: KnowledgeGraph
    validity: Validity
    discover: Discover
    config: KisaConfig
    seed: int

    def start_split(self, entity: Entity) -> Split | None:
        """The side a seed belongs to; None if no chain can begin there."""
        if not self.validity.admits(entity):
            return None
        if entity.kind != "phenotype":
            return self.validity.splits.get(entity.id)
        carriers = self.graph.carriers.get(entity.id, frozenset())
        return self.validity.splits.get(next(iter(carriers))) if len(carriers) == 1 else None

    async def make(self, entity: Entity, attempt: int, wanted: Wanted) -> Question | None:
        """A proved question from `entity`, or None if none of the wanted kind is found. Raises ToolOutage."""
        rng = random.Random(derive_seed(self.seed, "seed", entity.id, attempt))
        differential = wanted.differential and entity.kind == "disease" and rng.random() < _DIFFERENTIAL_SEEDS
        clues = clue_findings(self.graph, entity, rng) if differential else ()
        chain = await self._chain(entity, rng, {hops - bool(clues) for hops in wanted.hops})
        if chain is None:
            return None
        if clues:
            chain = with_clues(chain, clues)
            if not shows_no_clue(self.validity, chain):
                return None
        if wanted.lay and entity.kind == "phenotype":
            lay = lay_name(self.graph, entity, rng)
            chain = Chain(chain.relations, chain.steps, lay=lay)
        question = question_of(
            self.graph,
            chain,
            rng,
            seed=self.seed,
            split=self._split(chain),
            specialty=self._specialty(chain),
        )
        return None if flaw(self.graph, question) else question

    async def _chain(self, entity: Entity, rng: random.Random, hops: Collection[int]) -> Chain | None:
        """The longest valid chain in the subgraph grown from `entity`, if its length is wanted.

        The longest that the seed can give is sought first: long chains are the scarce ones. Growth ends once it is
        found.
        """
        validity = self.validity.with_hops(min(hops), max(hops))
        reach = validity.reach((entity,), validity.max_hops)
        ceiling = max((each for each in hops if each <= reach), default=0)
        if not ceiling:
            return None
        validity = validity.with_hops(min(hops), ceiling)
        uniform, walks = self.config.uniform_probability, self.config.walks
        path: tuple[Entity, ...] = ()
        async for reached in grow(entity, validity, self.discover, rng, walks=walks, uniform=uniform):
            path = longest_valid_path(
                self.graph.induced(reached),
                validity,
                budget=self.config.path_budget,
                may_extend=validity.may_extend,
                starts=[entity],
                max_length=ceiling,
            ).path
            if len(path) - 1 == ceiling:
                break
        return chain_of(self.graph, path, rng) if len(path) - 1 in hops else None

    def _first(self, chain: Chain, *kinds: str) -> Entity:
        entities = (chain.relations[0].subject, *(relation.object for relation in chain.relations))
        return next(entity for entity in entities if entity.kind in kinds)

    def _split(self, chain: Chain) -> Split:
        return self.validity.splits[self._first(chain, "disease", "gene").id]

    def _specialty(self, chain: Chain) -> str:
        return self.graph.facts[self._first(chain, "disease").id].specialty
