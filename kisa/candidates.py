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
    """What a selection still lacks. `hops`: how many questions of each length; the flags: whether any of that form."""

    hops: dict[int, int]
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
        reached = await grow(
            entity,
            self.validity,
            self.discover,
            rng,
            walks=self.config.walks,
            uniform=self.config.uniform_probability,
        )
        differential = wanted.differential and entity.kind == "disease" and rng.random() < _DIFFERENTIAL_SEEDS
        chain = self._chain(entity, reached, rng, {hops for hops, count in wanted.hops.items() if count}, differential)
        if chain is None:
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

    def _chain(
        self, entity: Entity, reached: list[Entity], rng: random.Random, hops: Collection[int], differential: bool
    ) -> Chain | None:
        """The longest valid chain of a drawn length or below, if that length is wanted."""
        ceiling = rng.choice(sorted(hops))
        extra = 1 if differential else 0
        validity = self.validity.with_hops(max(min(hops) - extra, 1), ceiling - extra)
        found = longest_valid_path(
            self.graph.induced(reached),
            validity,
            budget=self.config.path_budget,
            may_extend=validity.may_extend,
            starts=[entity],
            max_length=validity.max_hops,
        )
        if found.length + extra not in hops or not found.path:
            return None
        chain = chain_of(self.graph, found.path, rng)
        if not differential:
            return chain
        clues = clue_findings(self.graph, entity, rng)
        if not clues:
            return None
        chain = with_clues(chain, clues)
        return chain if shows_no_clue(validity, chain) else None

    def _first(self, chain: Chain, *kinds: str) -> Entity:
        entities = (chain.relations[0].subject, *(relation.object for relation in chain.relations))
        return next(entity for entity in entities if entity.kind in kinds)

    def _split(self, chain: Chain) -> Split:
        return self.validity.splits[self._first(chain, "disease", "gene").id]

    def _specialty(self, chain: Chain) -> str:
        return self.graph.facts[self._first(chain, "disease").id].specialty
