"""Who writes the events of a run into its journal, beside the event loop while attempts are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from conductor_agent.record.account import Account
from conductor_agent.record.events import Event
from conductor_agent.record.journal import Content, Journal


class JournalRecorder:
    """Writes the events of one run, in order. While attempts are in flight it does so from a thread of its
    own, so that a slow disk does not delay what they have to say.
    """

    def __init__(
        self, journal: Journal, run_id: str, seq: int = 0, account: Account | None = None
    ) -> None:
        self.journal = journal
        self.account = account
        self._run_id = run_id
        self._seq = seq
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fqg-journal")

    async def write(
        self, events: list[Event], contents: Iterable[Content] = (), *, alone: bool = False
    ) -> None:
        """Durable when it returns."""
        seq, self._seq = self._seq, self._seq + len(events)
        entries = self.account.entries(events) if self.account else ()
        if alone:
            self.journal.write(self._run_id, seq, events, contents, entries)
            return
        loop = asyncio.get_running_loop()
        written = loop.run_in_executor(
            self._thread, self.journal.write, self._run_id, seq, events, list(contents), entries
        )
        await asyncio.shield(written)

    def close(self) -> None:
        """Finish what is being written, and release the run.

        Raises:
            JournalError: the file cannot be written.
        """
        self._thread.shutdown()
        if late := self.account.entries() if self.account else []:
            self.journal.enter(late)
        self.journal.release(self._run_id)
