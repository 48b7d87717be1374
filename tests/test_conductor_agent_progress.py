"""Progress: checkpoints of an extension, and what of it is told when it is ended."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from flaky import Flaky

from conductor_agent.hosting.extension import (
    call,
    extension,
    perform,
)
from conductor_agent.hosting.sdk import progress
from conductor_agent.hosting.sdk.context import Context
from conductor_agent.hosting.sdk.harness import SkippedTime
from fqg_env.outcome import (
    Blame,
    Category,
    Partial,
    StandardError,
    Success,
    error,
)


def test_a_checkpoint_ends_work_that_has_no_more_use():
    time = SkippedTime()

    @extension
    def long(context: Context):
        for page in range(100):
            context.progress(page / 100, {"text": "x" * page}, usable=True)
            time.sleep(1)
            context.checkpoint()
        return {"text": ""}

    outcome = call(long, deadline_s=5.5, time=time)
    assert isinstance(outcome, StandardError) and outcome.category is Category.TIMEOUT
    assert outcome.blame is Blame.UNKNOWN  # whether limit or run was too short is not known in here
    assert outcome.partial == Partial("text", 0.05, usable=True)
    assert outcome.ext == {"progress": 0.05, "partial": "xxxxx"}
    outcome = call(long, cancelled=lambda: True)
    assert outcome.category is Category.CANCELLED


def test_progress_refuses_nonsense():
    context = Context()
    for fraction, partial in [(1.5, None), (0.5, {"a": 1, "b": 2}), (0.5, {"a": object()})]:
        with pytest.raises(ValueError, match="Progress|partial"):
            context.progress(fraction, partial)


def test_progress_is_there_after_the_process_is_not(tmp_path: Path):
    context = Context(scratch_base=tmp_path)
    context.progress(0.4, {"text": "so far"})
    context.retry(Flaky(1), backoff_s=0)
    killed = error(Category.POLICY_VIOLATION, "Too slow.")
    descriptor = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    for place in (tmp_path, descriptor):
        found = progress.with_progress(killed, progress.read_progress(place))
        assert found.partial == Partial("text", 0.4, usable=False)
        assert found.ext == {"progress": 0.4, "partial": "so far"}
        assert found.own_recovery.attempts == 1
    os.close(descriptor)


def test_progress_of_a_call_that_answers_is_gone(tmp_path: Path):
    @extension
    def quick(context: Context):
        context.progress(1.0, {"text": "all"})
        return {"text": "all"}

    context = Context(scratch_base=tmp_path)
    assert perform(quick, {}, {}, context) == Success(outputs={"text": "all"})
    context.progress(0.5)  # a thread that outlives its call
    assert list(tmp_path.iterdir()) == []


def test_a_large_partial_is_left_out_and_the_fraction_stays(tmp_path: Path):
    context = Context(scratch_base=tmp_path)
    context.progress(0.4, {"text": "x" * progress.MAX_BYTES})
    found = progress.read_progress(tmp_path)
    assert found is not None and (found.fraction, found.artifact, found.value) == (
        0.4,
        "text",
        None,
    )


@pytest.mark.parametrize(
    "what", ["link", "fifo", "folder", "junk", "huge", "deep", "many", "range"]
)
def test_progress_that_means_no_good_is_nothing(tmp_path: Path, what: str):
    place = tmp_path / progress.FILE
    good = msgspec.msgpack.encode(progress.Progress(0.5, "a", "secret"))
    match what:
        case "link":
            (tmp_path / "elsewhere").write_bytes(good)
            place.symlink_to(tmp_path / "elsewhere")
        case "fifo":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "junk":
            place.write_bytes(b"\xc1junk")
        case "huge":
            place.write_bytes(good + b"\0" * 10_000_000)
        case "deep":
            body = msgspec.msgpack.encode({"fraction": 0.5, "value": 0})
            place.write_bytes(body[:-1] + b"\x91" * 60_000 + b"\xc0")
        case "many":
            place.write_bytes(b"\xdf\xff\xff\xff\xff")
        case "range":
            place.write_bytes(msgspec.msgpack.encode({"fraction": 7.0}))
    assert progress.read_progress(tmp_path) is None
    assert progress.with_progress(error(Category.UNABLE, "x"), None).ext == {}
