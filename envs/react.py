"""The ReAct loop: thought -> tool call -> observation, until an answer or a limit. No Ray inside.

env = ReactEnv(question, tools, codec, limits, max_length)
while env.ending is None:  the policy continues env.token_ids;  await env.act(sampled ids)
env.rollout()
"""

import time
from collections.abc import Callable, Mapping
from itertools import takewhile

from envs.state import conclude, observe, read_step
from envs.tools.base import Tool, ToolResult
from envs.tools.selector import Advisor, ToolChoice
from medrl.chat import Action, ChatCodec, parse_action, system_prompt
from medrl.errors import ToolOutage
from medrl.sections.episodes import EnvConfig
from medrl.seeds import derive_seed
from medrl.state import State
from medrl.types import Ending, Generate, Message, Question, Rollout, Sampling, Step, StepStatus, ToolCall


class ReactEnv:
    """One episode: the question, what was done so far, the tokens of both, and the state that came of it
    (`medrl.state`)."""

    def __init__(
        self,
        question: Question,
        tools: Mapping[str, Tool],
        codec: ChatCodec,
        limits: EnvConfig,
        max_length: int,
        sample: int = 0,
        advisor: Advisor | None = None,
    ) -> None:
        """`max_length` bounds the whole episode in tokens; `sample` is the episode's index in its group.

        `advisor` says before each turn which class of tool is likely: it is kept with the step, and shown to the policy
        if `limits.tool_hint` is set. Without `tools` the question is asked closed-book. An episode whose prompt leaves
        no room for a turn has ended (TOKEN_LIMIT).
        """
        self.question = question
        self.steps: list[Step] = []
        self.ending: Ending | None = None
        self.answer: str | None = None
        self.state = State()
        self._tools = tools
        self._codec = codec
        self._limits = limits
        self._max_length = max_length
        self._sample = sample
        self._advisor = advisor
        self._advice: ToolChoice | None = None  # for the next turn, once it was asked for
        self._started = time.monotonic()
        self._tools_s = 0.0
        self.opening = (
            Message("system", system_prompt(list(tools.values()))),
            Message("user", self.with_hint(question.text)),
        )
        self.token_ids: list[int] = codec.prompt(self.opening)
        self._action_mask = [False] * len(self.token_ids)
        self._logprobs = [0.0] * len(self.token_ids)
        self._versions = [-1] * len(self.token_ids)
        if self.room <= 0:
            self.ending = Ending.TOKEN_LIMIT

    @property
    def room(self) -> int:
        """Tokens the next turn may take."""
        return min(self._limits.max_turn_tokens, self._max_length - len(self.token_ids))

    async def act(
        self, token_ids: list[int], logprobs: list[float] | None = None, versions: list[int] | None = None
    ) -> None:
        """Take one turn of the policy: record its tokens, run its call, append the observation.

        `logprobs` (nats) and `versions` come from the sampler; a demonstration has neither. Raises ToolOutage.
        """
        if self.ending is not None:
            raise ValueError(f"the episode has ended ({self.ending}); start another")
        count = len(token_ids)
        self._append(token_ids, True, logprobs or [0.0] * count, versions or [-1] * count)
        text = self._codec.decode_action(token_ids)
        turn_ended = bool(token_ids) and token_ids[-1] in self._codec.end_ids
        action = parse_action(text)
        if action.answer is not None:
            self.answer = action.answer
            self.state = conclude(self.state, len(self.steps) + 1, action.answer)
            self.steps.append(Step(text, None, "", "answer"))
            self.ending = Ending.ANSWERED
            return
        if action == Action():
            self.steps.append(Step(text, None, "", "malformed"))
            self.ending = Ending.NO_TOOL_CALL if turn_ended else Ending.TOKEN_LIMIT
            return
        await self._respond(text, action, turn_ended)

    async def _respond(self, text: str, action: Action, turn_ended: bool) -> None:
        begun = time.monotonic()
        if action.call is None:
            result = ToolResult.mistake(f"Your turn could not be read: {action.error}.")
        else:
            result = await self._run(action.call)
        latency_s = time.monotonic() - begun
        self._tools_s += latency_s
        limit = self._limits.observation_tokens
        token_ids, shown = self._codec.response(result.text, limit, turn_ended=turn_ended)
        advice = self.advice
        choice = advice.of(action.call.name) if advice is not None and action.call is not None else None
        self.steps.append(
            Step(
                text,
                action.call,
                shown,
                _status(action, result),
                result.sources,
                latency_s,
                choice=choice,
                cached=result.cached,
                corruption=result.corruption,
            )
        )
        if action.call is not None and not result.is_mistake:
            whole = shown == result.text  # of what was cut, only the part that was shown is known
            told, ranked = (result.facts, result.hypotheses) if whole else read_step(self.steps[-1], action.call)
            self.state = observe(self.state, len(self.steps), action.call, told, ranked)
        self._advice = None
        if hint := self.hint:
            token_ids, _ = self._codec.response(result.text, limit, turn_ended=turn_ended, note=hint)
        if len(self.steps) >= self._limits.max_turns:
            self.ending = Ending.TURN_LIMIT
        elif self._mistakes_in_a_row >= self._limits.max_mistakes:
            self.ending = Ending.MISTAKE_LIMIT
        elif len(self.token_ids) + len(token_ids) >= self._max_length:
            self.ending = Ending.TOKEN_LIMIT
        elif self._tools_s > self._limits.timeout_s:
            self.ending = Ending.TIME_LIMIT
        else:  # an observation that nothing follows would only lengthen the sequence
            self._append(token_ids, False, [0.0] * len(token_ids), [-1] * len(token_ids))

    @property
    def advice(self) -> ToolChoice | None:
        """P of each class of tool for the next turn; None where no advisor is asked."""
        if self._advisor is not None and self._advice is None:
            self._advice = self._advisor.advise(self.question.text, self.state, self.steps)
        return self._advice

    @property
    def hint(self) -> str:
        """What the policy is told of it; "" where it is told nothing."""
        advice = self.advice if self._limits.tool_hint else None
        return advice.hint if advice is not None else ""

    def with_hint(self, text: str) -> str:
        """`text` as the policy sees it, with the environment's own word behind it."""
        return f"{text}\n{self.hint}" if self.hint else text

    @property
    def _mistakes_in_a_row(self) -> int:
        return sum(1 for _ in takewhile(lambda step: step.status in ("mistake", "malformed"), reversed(self.steps)))

    async def _run(self, call: ToolCall) -> ToolResult:
        tool = self._tools.get(call.name)
        if tool is None:
            known = f"Tools: {', '.join(self._tools)}." if self._tools else "There are none: answer."
            return ToolResult.mistake(f"There is no tool {call.name!r}. {known}")
        try:
            return await tool.call(call.arguments)
        except ToolOutage:
            self.ending = Ending.TOOL_OUTAGE
            raise

    def _append(self, token_ids: list[int], is_action: bool, logprobs: list[float], versions: list[int]) -> None:
        self.token_ids += token_ids
        self._action_mask += [is_action] * len(token_ids)
        self._logprobs += logprobs
        self._versions += versions

    def rollout(self, generate_s: float = 0.0) -> Rollout:
        """The finished episode. Raises ValueError while it still runs."""
        if self.ending is None:
            raise ValueError("the episode has not ended")
        return Rollout(
            question_id=self.question.id,
            sample=self._sample,
            token_ids=self.token_ids,
            action_mask=self._action_mask,
            logprobs=self._logprobs,
            versions=self._versions,
            steps=self.steps,
            ending=self.ending,
            answer=self.answer,
            duration_s=time.monotonic() - self._started,
            generate_s=generate_s,
            tools_s=self._tools_s,
            state=self.state,
        )


def _status(action: Action, result: ToolResult) -> StepStatus:
    if action.call is None:
        return "malformed"
    return "mistake" if result.is_mistake else "ok"


async def run_episode(
    env: ReactEnv,
    generate: Generate,
    sampling: Sampling,
    request_id: str,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Rollout:
    """Let a policy play `env` to its end. Raises InfrastructureError; the caller retries or drops the episode.

    `sampling.seed` is the episode's seed; each turn derives its own. `request_id` is shared by the turns of an episode
    so that a pool can route them to the engine that holds their prefix. `on_step` is told of each step when it is done.
    """
    generate_s = 0.0
    while env.ending is None:
        turn = len(env.steps)
        seed = None if sampling.seed is None else derive_seed(sampling.seed, turn)
        turn_sampling = Sampling(sampling.temperature, env.room, sampling.top_p, seed)
        begun = time.monotonic()
        completion = await generate(env.token_ids, sampling=turn_sampling, request_id=f"{request_id}/{turn}")
        generate_s += time.monotonic() - begun
        await env.act(completion.token_ids, completion.logprobs, completion.versions)
        on_step(env.steps[-1])
    return env.rollout(generate_s)
