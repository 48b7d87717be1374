"""Worker processes: each answers one question at a time, and one that dies costs only the question it had."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from multiprocessing.connection import Connection, wait
from typing import Any, Self, TypeVar

from conductor_agent.commands.compiling import told_of_compiling
from training.terminal import say

Item = TypeVar("Item")


class NoAnswer(Enum):
    """Why there is none."""

    DIED = "the process that it played in died"


def serve(connection: Connection, tells: bool) -> None:
    """Answer questions until nobody asks any more, saying where rules are compiled for one if it `tells`.
    Ctrl-C is the parent's to handle.

    What is printed goes to standard error: standard output is the parent's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(sys.__stderr__.fileno() if sys.__stderr__ else 2, 1)
    with told_of_compiling(say if tells else lambda sentence: None):
        answer_all(connection)


def answer_all(connection: Connection) -> None:
    """Answer questions until nobody asks any more."""
    me = os.getpid()
    while True:
        try:
            function, item = connection.recv()
        except EOFError:
            return
        try:
            answer = function(item)
        except Exception as problem:  # noqa: BLE001 (it is raised again in the parent)
            answer = Raised(problem)
        except BaseException:  # noqa: BLE001 (a KeyboardInterrupt of its own: it ends, and shows nothing)
            raise SystemExit(1) from None
        if os.getpid() != me:
            os._exit(0)  # a child that the function has forked off: its parent answers
        connection.send(answer)


class Raised:
    """An exception on its way to the parent."""

    def __init__(self, problem: Exception):
        self.problem = problem


class Worker:
    """One process and the question that it has.

    Args:
        owner: whose questions it answers, and nobody else's.
        tells: whether it says where rules are compiled.
    """

    def __init__(self, owner: object = None, *, tells: bool = False) -> None:
        self.owner = owner
        spawn = multiprocessing.get_context("spawn")
        self.connection, its = spawn.Pipe()
        self.process = spawn.Process(target=serve, args=(its, tells), daemon=True)
        self.process.start()
        its.close()
        self.item: Any = None
        self.busy = False

    def ask(self, function: Callable[[Any], Any], item: Any) -> None:
        """Hand it a question; a process that is dead already is noticed when it is listened to."""
        self.item, self.busy = item, True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((function, item))

    def listen(self) -> Any:
        """Its answer, or `NoAnswer.DIED`."""
        self.busy = False
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            return NoAnswer.DIED

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.connection.close()


class Workers:
    """Up to so many processes, started when they are needed and ended with the context.

    Args:
        most: how many.
        speakers: how many of them say where rules are compiled.
    """

    def __init__(self, most: int, speakers: int = 1):
        self.most, self.speakers = most, speakers
        self.staff: list[Worker] = []

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all of them, also where they are at work."""
        for worker in self.staff:
            worker.end()
        self.staff.clear()

    def run(
        self,
        function: Callable[[Item], Any],
        items: Sequence[Item],
        owner: Callable[[Item], object] = lambda item: None,
        known: Callable[[Item], Any] = lambda item: None,
    ) -> Iterator[tuple[Item, Any]]:
        """Items with their answers, in any order. `NoAnswer.DIED` is the answer where a process died over an
        item. A process answers the items of one owner alone: what somebody's code has changed in it, nobody
        else meets.

        Args:
            function: what answers.
            items: what is asked.
            owner: whose an item is.
            known: the answer to an item before it is begun, which is then not asked; None where there is
                none. It is looked up anew after every answer, so that the caller may learn from them.

        Raises:
            Exception: whatever the function raised.
        """
        waiting = list(reversed(items))
        while True:
            answers = [(item, known(item)) for item in reversed(waiting)]
            yield from ((item, answer) for item, answer in answers if answer is not None)
            waiting = [item for item, answer in reversed(answers) if answer is None]
            self._hand_out(function, waiting, owner)
            busy = [worker for worker in self.staff if worker.busy]
            if not busy:
                return
            ready = wait([worker.connection for worker in busy])
            for worker in [worker for worker in busy if worker.connection in ready]:
                answer = worker.listen()
                if isinstance(answer, Raised):
                    raise answer.problem
                if answer is NoAnswer.DIED:
                    self._dismiss(worker)
                yield worker.item, answer

    def _hand_out(
        self, function: Callable[[Any], Any], waiting: list[Any], owner: Callable[[Any], object]
    ) -> None:
        """Give every free process the next item, and start another where there is work for it."""
        for worker in [worker for worker in self.staff if not worker.busy]:
            if not waiting:
                return
            item = waiting.pop()
            if worker.owner != owner(item):
                self._dismiss(worker)
                worker = self._hire(owner(item))
            worker.ask(function, item)
        while waiting and len(self.staff) < self.most:
            item = waiting.pop()
            self._hire(owner(item)).ask(function, item)

    def _hire(self, owner: object) -> Worker:
        """Start a process; the first ones speak for all."""
        self.staff.append(Worker(owner, tells=len(self.staff) < self.speakers))
        return self.staff[-1]

    def _dismiss(self, worker: Worker) -> None:
        """Forget a process that has died."""
        worker.end()
        self.staff.remove(worker)
