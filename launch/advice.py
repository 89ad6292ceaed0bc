"""Settings that run, but probably not as meant."""

from collections.abc import Iterator

from actors.placement import described_nodes
from actors.seats import seats
from launch.footprint import RUNTIME_GPU, ModelShape, engine_memory, fullest_node, learner_memory
from launch.preflight import knowledge_checks
from medrl.config import Config
from medrl.errors import ConfigError, UserError
from medrl.precision import fast_precision


def warnings(config: Config, shape: ModelShape) -> list[str]:
    """One line each: what will happen, and what to change. Empty for sensible settings."""
    return [*_named(config), *_data(config), *_episodes(config), *_learning(config), *_hardware(config, shape)]


def _named(config: Config) -> Iterator[str]:
    """What settings name and this machine lacks: a run that needs it would not start here."""
    for look in knowledge_checks(config):
        try:
            look()
        except UserError as error:
            yield f"not on this machine: {error}"
    knowledge = config.knowledge
    goes_out = knowledge.sources or knowledge.read_web or knowledge.web.provider != "local"
    if goes_out and knowledge.recording.mode != "off" and knowledge.recording.version is None:
        yield (
            "what is recorded of services on the network goes by no version, as they change without a sign: set "
            "knowledge.recording.version, to a date, say"
        )


def _data(config: Config) -> Iterator[str]:
    if config.eval.questions > config.kisa.heldout_questions:
        yield (
            f"eval.questions={config.eval.questions}, but kisa.heldout_questions={config.kisa.heldout_questions}: "
            "only those there are will be asked"
        )
    asked = min(config.eval.questions, config.kisa.heldout_questions)
    if asked < 50:
        half_width = 1.96 * 0.5 / asked**0.5
        yield f"{asked} evaluation questions give intervals of up to ±{half_width:.2f}: use 100 or more"
    drawn, there = config.grpo.groups_per_step, config.kisa.train_questions
    if drawn > there:
        yield f"grpo.groups_per_step={drawn} is above kisa.train_questions={there}: questions repeat in a step"


def _episodes(config: Config) -> Iterator[str]:
    needed = config.kisa.max_hops + 1
    turn = config.env.max_turn_tokens + config.env.observation_tokens
    fitting = config.model.max_length // turn
    if config.env.max_turns < needed:
        yield (
            f"env.max_turns={config.env.max_turns}, but {config.kisa.max_hops} hops take {needed} turns: "
            "the hardest questions cannot be answered; raise it or lower kisa.max_hops"
        )
    elif fitting < needed:
        yield (
            f"model.max_length={config.model.max_length} holds {fitting} turns of full length ({turn} tokens), "
            f"{config.kisa.max_hops} hops take {needed}: raise it, or lower env.observation_tokens"
        )


def _learning(config: Config) -> Iterator[str]:
    grpo = config.grpo
    sequences = grpo.samples_per_step
    if sequences % grpo.updates_per_batch:
        yield (
            f"{sequences} episodes a step do not divide by grpo.updates_per_batch={grpo.updates_per_batch}: "
            "the updates differ in size"
        )
    if grpo.temperature < 0.5:
        yield f"grpo.temperature={grpo.temperature} leaves most groups without spread, and those teach nothing; try 1.0"
    if grpo.warmup_steps >= grpo.steps:
        yield f"grpo.warmup_steps={grpo.warmup_steps} of grpo.steps={grpo.steps}: the full rate is never reached"
    if grpo.lr > config.sft.lr:
        yield f"grpo.lr={grpo.lr:g} is above sft.lr={config.sft.lr:g}: policy gradients want the smaller steps"
    if grpo.divide_by_std or grpo.baseline != "mean":
        yield "advantages differ from the paper's (group mean, no division by the deviation): fine for an ablation"
    if grpo.kl:
        yield f"grpo.kl={grpo.kl:g}: the paper has no KL term, and needs no reference in memory: fine for an ablation"


def _hardware(config: Config, shape: ModelShape) -> Iterator[str]:
    episodes = config.grpo.groups_per_step * config.grpo.group_size
    places = config.pool.engines * config.pool.max_sequences
    if places < episodes and config.grpo.schedule == "sync":
        waves = -(-episodes // places)
        yield f"{episodes} episodes a step over {places} places in the pool: {waves} waves; raise pool.max_sequences"
    if config.learner.micro_batch_tokens < config.model.max_length:
        yield (
            f"learner.micro_batch_tokens={config.learner.micro_batch_tokens} is below model.max_length="
            f"{config.model.max_length}: the longest episode is a micro-batch of its own, and a larger one"
        )
    if config.learner.zero_stage >= 2 and config.learner.ranks == 1:
        yield f"learner.zero_stage={config.learner.zero_stage} with one rank shares nothing out; use 0, or more ranks"
    if config.device == "cuda":
        yield from _gpus(config, shape)
    if config.device == "cpu":
        if config.model.dtype == "bfloat16" and fast_precision("cpu") == "float32":
            yield (
                "model.dtype=bfloat16: this processor has no instructions for it, and takes several times as long "
                "as with float32; use auto"
            )
        held = engine_memory(config, shape).cached_sequences
        if held < config.pool.max_sequences // 4:
            yield (
                f"pool.kv_cache_gb={config.pool.kv_cache_gb:g} holds {held} episodes of full length of "
                f"pool.max_sequences={config.pool.max_sequences}: they will wait for each other; raise it"
            )


def _gpus(config: Config, shape: ModelShape) -> Iterator[str]:
    cluster, card = config.cluster, config.cluster.gpu_gb * 1e9
    try:
        found = seats(config, described_nodes(config))
    except ConfigError as error:
        yield str(error)
    else:
        needed = sum(fullest_node(config, shape, found)[1].values())
        if needed > cluster.memory_gb * 1e9:
            yield (
                f"a node needs {needed / 1e9:.0f} GB of memory, cluster.memory_gb={cluster.memory_gb:g}: spread the "
                "learner over more nodes, or use larger ones"
            )
    learner = learner_memory(config, shape).total + RUNTIME_GPU
    if learner > card:
        yield (
            f"a learner GPU needs {learner / 1e9:.0f} GB of {cluster.gpu_gb:g}: raise learner.ranks or zero_stage, "
            "turn on learner.gradient_checkpointing, or lower learner.micro_batch_tokens"
        )
    engine = engine_memory(config, shape, card)
    if not engine.kv_cache:
        yield (
            f"an engine GPU holds {engine.weights / 1e9:.0f} GB of weights and has no room for a cache within "
            f"{config.pool.gpu_memory_utilization:g} of {cluster.gpu_gb:g} GB: raise pool.tensor_parallel"
        )
    elif engine.cached_sequences < config.pool.max_sequences / 4:
        yield (
            f"an engine's GPUs hold {engine.cached_sequences} episodes of full length of pool.max_sequences="
            f"{config.pool.max_sequences}: raise pool.tensor_parallel, or lower max_sequences"
        )
