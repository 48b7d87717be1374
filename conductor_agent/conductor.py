"""The loop: choose, attempt, outcome, record, observe. The same recipe as fqg_env/world.py, with a process
where that has a draw, and a journal in between: the intent is durable before anybody is asked, the outcome
before the policy sees it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from msgspec.structs import replace

from conductor_agent.aside import TooSlowError
from conductor_agent.clock import Clock
from conductor_agent.deciding.choice import Choice, chance_of, handed_over, read
from conductor_agent.deciding.mask import Mask
from conductor_agent.deciding.policy_call import Asked
from conductor_agent.deciding.strategies import strategy_of
from conductor_agent.deciding.untried import UNTRIED, cheapest_untried, never_tried
from conductor_agent.idempotency_key import idempotency_key
from conductor_agent.live_world import Answer, Attempt, Held, World, reads
from conductor_agent.plain import said_by
from conductor_agent.record.events import (
    Decided,
    Ended,
    Event,
    Finished,
    Signal,
    Started,
    Waited,
    from_json,
    to_json,
)
from conductor_agent.record.fold import Fold
from conductor_agent.record.journal import Content, content
from conductor_agent.unanswered import REDUNDANT, cancelled, unfit, why_cancelled
from fqg_env.arrays import Stopped
from fqg_env.outcome import Success
from fqg_env.rules import FIRST_CALL, STOP, WAIT
from policies.recovery.base import FLOOR, Policy
from policies.recovery.index import Index


class Recorder(Protocol):
    """Where events go. What `write` was given is durable when it returns."""

    async def write(
        self, events: list[Event], contents: Iterable[Content], *, alone: bool = False
    ) -> None:
        """Append events and the values they name; `alone`: nobody else is waiting for the event loop."""
        ...


@dataclass
class Flight:
    """An attempt that is being made."""

    call: int
    began_s: float
    task: asyncio.Task[Answer]


@dataclass
class Conductor:
    """Plays one run of a real workflow."""

    run_id: str
    fold: Fold
    world: World
    policy: Policy
    recorder: Recorder
    clock: Clock
    held: dict[str, Held]
    """Artifact -> its current version."""
    watch: Callable[[Event], None] = lambda _: None
    """Told of every event once it is recorded."""
    tries_all: bool = False
    """An essential goal is given up only when all that could still make it has been tried once."""
    before: Iterable[Event] = ()
    """What has happened already, of a run that is gone on with."""
    flights: dict[int, Flight] = field(default_factory=dict)
    _floor: Policy = field(default_factory=Index)
    _news: list[Signal] = field(default_factory=list)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """How the policy is asked, and what it may not do."""
        self._asked = Asked(self.policy)
        self._barred = Mask(self.fold.level)
        for event in self.before:
            self._barred.apply(event)

    async def run(self) -> Stopped:
        """Play until the run is over; why it is."""
        try:
            while self.fold.stopped() is Stopped.NO:
                await self.step()
        finally:
            await self.drop_flights()
        return self.fold.stopped()

    async def step(self) -> None:
        """One decision and what comes of it."""
        await self.complete(self.landed())
        if (spent := self.fold.exhausted()) is not Stopped.NO:
            await self.end(spent)
            return
        self._barred.look(self.fold)
        choice = await self.choose()
        decided = self.decided(choice, self.fold.digest())
        if choice.action == STOP:
            await self.end(Stopped.POLICY, decided)
        elif choice.action == WAIT:
            await self.wait(decided)
        else:
            await self.attempt(choice.action - FIRST_CALL, decided)
        reason = self.fold.exhausted()
        if self.fold.stopped() is Stopped.NO and reason is not Stopped.NO:
            await self.end(reason)

    # Choose

    async def choose(self) -> Choice:
        """Ask the policy; where it fails, is too slow or answers something illegal, the floor decides."""
        began, success, handed = time.perf_counter(), None, ""
        try:
            decision = await self._asked.decide(*self._seen(), self.left_s())
            action, probabilities, source = read(decision, self.fold)
            success, handed = chance_of(decision), handed_over(decision)
            why = "" if self.legal(action) else f"the policy chose {action}, which is not legal"
        except TooSlowError as problem:
            why = f"the policy is too slow: {problem}"
        except (Exception, SystemExit) as problem:  # noqa: BLE001  (a policy may be anybody's)
            why = f"the policy failed with {said_by(problem)}"
        if why:
            action, probabilities, _ = read(self._floor.decide(*self._seen()), self.fold)
            source = FLOOR
            action, handed = action if self.legal(action) else STOP, ""
        if action == STOP and self.tries_all and (call := cheapest_untried(self.fold)) is not None:
            who = "the floor" if source == FLOOR else self.policy.name
            told = f"{who} would give up, and {never_tried(self.fold, call)}"
            action, source, handed = FIRST_CALL + call, UNTRIED, ""
            why = f"{why}; {told}" if why else told
        took_ms = (time.perf_counter() - began) * 1e3
        return Choice(action, probabilities, source, why or handed, took_ms, success)

    async def warm_up(self) -> None:
        """Let the policy load what it needs before the run's time begins."""
        self._barred.look(self.fold)
        await self.choose()

    def _seen(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        return self.fold.observation(), self.fold.mask.copy()

    def legal(self, action: int) -> bool:
        """The mask allows the action."""
        return 0 <= action < self.fold.mask.shape[1] and bool(self.fold.mask[0, action])

    def decided(self, choice: Choice, observation: str) -> Decided:
        """The decision as it is written down, with what was seen."""
        return Decided(
            at_s=self.fold.number("at_s"),
            action=self.fold.action_name(choice.action),
            probabilities=choice.probabilities,
            policy=self.policy.name,
            source=choice.source,
            strategy=strategy_of(self.fold, choice.action).value,
            observation=observation,
            took_ms=choice.took_ms,
            why=choice.why,
            success=choice.success,
        )

    # Attempt

    async def attempt(self, call: int, decided: Decided) -> None:
        """Begin an attempt; when every slot is taken, time runs to a completion."""
        number = self.fold.number("begun")
        name = self.fold.level.call_names[call]
        nth = int(self.fold.board["tries"][call]) + 1
        inputs = self.inputs_of(call)
        shas = self.shas_of(call)
        key = idempotency_key(self.run_id, self.fold, call, shas)
        repeated_s = self.fold.repeated_s(call)
        now_s = self.now_s()
        await self.record(
            decided, Started(at_s=now_s, attempt=number, call=name, key=key, inputs=shas)
        )
        attempt = Attempt(self.run_id, call, nth, key, inputs, self.left_s(), repeated_s)
        task = asyncio.create_task(self.world.attempt(attempt))
        self.flights[number] = Flight(call, now_s, task)
        if len(self.flights) >= self.fold.level.max_in_flight:
            await self.until_landed(self.fold.level.budget.time_s)
            if not self.landed():
                await self.end(Stopped.TIME)
            await self.complete(self.landed())

    def inputs_of(self, call: int) -> dict[str, Held]:
        """What a call reads or looks at, as far as it is held."""
        names = reads(self.fold.level, call)
        return {name: self.held[name] for name in names if name in self.held}

    def shas_of(self, call: int) -> dict[str, str]:
        """Artifact -> SHA-256 of the value that a call reads or looks at."""
        return {name: one.sha256 for name, one in self.inputs_of(call).items()}

    # Outcome

    async def complete(self, numbers: list[int]) -> None:
        """Fold attempts that have ended, then cancel what they made redundant."""
        for number in numbers:
            flight = self.flights.pop(number)
            answer = flight.task.result()
            finished, contents = self.finished(number, flight, answer)
            await self.record(finished, contents=contents)
            self.hold(finished, answer.values)
            redundant = set(self.fold.redundant(finished.made)) - set(self.landed())
            await self.cancel(sorted(redundant), REDUNDANT)

    def finished(
        self, number: int, flight: Flight, answer: Answer
    ) -> tuple[Finished, list[Content]]:
        """The end of an attempt as it is written down, and the values it made. An answer that could not be
        read back or folded is none: once it is durable it is too late to find out.
        """
        try:
            event, contents = self._finished(number, flight, answer)
            from_json(to_json(event))
            self.fold.row(event)
        except Exception as problem:  # noqa: BLE001  (whatever an extension has put into it)
            return self._finished(number, flight, unfit(self.fold, flight.call, answer, problem))
        return event, contents

    def _finished(
        self, number: int, flight: Flight, answer: Answer
    ) -> tuple[Finished, list[Content]]:
        outcome = answer.outcome
        if isinstance(outcome, Success):
            outcome = replace(outcome, outputs={})
        contents = {name: content(value) for name, value in answer.values.items()}
        event = Finished(
            at_s=self.now_s(),
            attempt=number,
            call=self.fold.level.call_names[flight.call],
            outcome=outcome,
            elapsed_s=answer.elapsed_s,
            made=answer.made,
            values={name: sha for name, (sha, _) in contents.items()},
            usage=answer.usage,
        )
        return event, list(contents.values())

    def hold(self, finished: Finished, values: dict[str, Any]) -> None:
        """Keep what was made: a new version replaces the old one."""
        for name, sha in finished.values.items():
            rejected = finished.made[name].passed is False
            self.held[name] = Held(sha, values[name], rejected)

    async def cancel(self, numbers: list[int], why: str) -> None:
        """End attempts now, saying why; what each has used so far is charged pro rata."""
        flights = {number: self.flights.pop(number) for number in numbers}
        await _ended(flight.task for flight in flights.values())
        events = []
        for number, flight in flights.items():
            ran_s = self.now_s() - flight.began_s
            answer = Answer(cancelled(self.fold, flight.call, ran_s, why), ran_s)
            events.append(self.finished(number, flight, answer)[0])
        if events:
            await self.record(*events)

    # Wait and stop

    async def wait(self, decided: Decided) -> None:
        """WAIT: time runs to the first completion, to news, or to the end that the rules give it."""
        await self.record(decided)
        await self.until_landed(self.fold.wait_until(), news=True)
        await self.record(Waited(at_s=self.now_s()), *self.news())
        await self.complete(self.landed())

    async def end(self, reason: Stopped, *before: Event) -> None:
        """Cancel what is in flight and deliver what is there. What has landed meanwhile still counts."""
        if before:
            await self.record(*before)
        await self.complete(self.landed())
        await self.cancel(list(self.flights), why_cancelled(self.fold, reason))
        await self.record(Ended(at_s=self.now_s(), reason=reason.name.lower()))

    def tell(self, provider: str, *, up: bool, until_s: float = 0.0) -> None:
        """News from outside about a provider; ends a WAIT.

        Raises:
            FoldError: there is no such provider.
        """
        self.fold.provider(provider)
        self._news.append(Signal(at_s=0.0, provider=provider, up=up, until_s=until_s))
        self._heard.set()

    def news(self) -> list[Event]:
        """What was told since the last time, as events of now."""
        told, self._news = self._news, []
        self._heard.clear()
        return [replace(signal, at_s=self.now_s()) for signal in told]

    # Time and record

    def now_s(self) -> float:
        """Time never runs backwards in a run."""
        return max(float(self.fold.board["at_s"]), self.clock.now_s())

    def left_s(self) -> float:
        """Time left of the budget."""
        return self.fold.level.budget.time_s - self.now_s()

    async def until_landed(self, until_s: float, *, news: bool = False) -> None:
        """Let time run until an attempt ends, or there is news, or to `until_s`."""
        tasks: list[asyncio.Task[Any]] = [flight.task for flight in self.flights.values()]
        heard = asyncio.ensure_future(self._heard.wait()) if news else None
        try:
            await self.clock.first_of([*tasks, heard] if heard else tasks, until_s)
        finally:
            if heard:
                heard.cancel()

    def landed(self) -> list[int]:
        """Attempts that have ended and are not folded yet."""
        return [number for number, flight in self.flights.items() if flight.task.done()]

    async def record(self, *events: Event, contents: Iterable[Content] = ()) -> None:
        """Write events down, then let them count."""
        await self.recorder.write(list(events), contents, alone=not self.flights)
        for event in events:
            self.fold.apply(event)
            self._barred.apply(event)
            self.watch(event)

    async def drop_flights(self) -> None:
        """However the loop ends, nothing of it runs on. What was in flight is not recorded: it is lost."""
        flights, self.flights = self.flights, {}
        await _ended(flight.task for flight in flights.values())


async def _ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are over."""
    for task in (waiting := list(tasks)):
        task.cancel()
    if waiting:
        await asyncio.wait(waiting)
