"""The judge: every policy plays the same levels under the same luck; pairs are compared level by level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conductor_agent.plain import counted
from policies.recovery.policy_file import MANIFEST_FILE
from policies.recovery.registry import PolicyError, one_line_with_place, policy_named
from training.judging.bounds import BAYES, why_no_bayes
from training.judging.contestants import AS_IT_IS, Contestant, Thinking, takes, thinks
from training.judging.episodes import AnswerError, Played, joined, play_chunk
from training.judging.figures import TRIALS, figures
from training.judging.pairs import compare
from training.judging.processes import NoAnswer, Workers
from training.judging.result_cache import ResultCache
from training.judging.setting import Setting, check_setting, mixes_of

CHUNK, SLOW_CHUNK = 512, 16
"""Episodes played side by side, and those of a policy that thinks. They are fixed, so that workers change no
figure.
"""
MOST_TRIED_AGAIN = 128
"""Levels that are played under all lucks, for pass^8; no more than one in eight of them all."""

Progress = Callable[[str, int], None]
Failed = Callable[[str, str], None]
"""Called with the label of a policy that failed and why, as soon as it has."""


class Job(NamedTuple):
    """One policy on one chunk of episodes under one luck."""

    contestant: Contestant
    setting: Setting
    first: int
    n: int
    luck: int


class Known(NamedTuple):
    """What is known of a policy before it plays."""

    thinks: bool
    """It can be told how long."""
    takes: bool
    """It takes what it is told."""
    problem: str
    """Why it cannot play; empty where it can."""


Answer = Played | str
"""What was played, or why it was not."""


def tried_again(setting: Setting) -> int:
    """How many of the first levels are played under all lucks."""
    return min(MOST_TRIED_AGAIN, setting.episodes // TRIALS)


def episodes_to_play(setting: Setting) -> int:
    """Episodes that each policy plays, those under other lucks included."""
    return setting.episodes + (TRIALS - 1) * tried_again(setting)


def jobs_of(contestant: Contestant, setting: Setting, chunk: int) -> Iterator[Job]:
    """The jobs of one policy, in the order in which they are begun."""
    for luck in range(TRIALS):
        most = setting.episodes if luck == 0 else tried_again(setting)
        for first in range(0, most, chunk):
            yield Job(contestant, setting, first, min(chunk, most - first), luck)


def look_at(contestant: Contestant) -> Known:
    """Make a policy and see what it takes."""
    try:
        policy = policy_named(contestant.name)
    except PolicyError as problem:
        return Known(thinks=False, takes=False, problem=str(problem))
    options = contestant.thinking.options()
    return Known(thinks(policy), bool(options) and takes(policy, options), "")


def answer_to(job: Job) -> Answer:
    """Play a chunk; somebody else's policy costs only itself. That the levels can be had is known by then."""
    try:
        return play_chunk(job.contestant, job.setting, job.first, job.n, job.luck)
    except AnswerError as problem:
        return str(problem)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (somebody else's policy)
        module, _, _ = job.contestant.name.partition(":")
        return one_line_with_place(error, module if job.contestant.foreign else "")


def check_contestants(
    contestants: Sequence[Contestant], setting: Setting, workers: Workers
) -> dict[str, Known]:
    """What is known of each policy, by label.

    Raises:
        PolicyError: one cannot be had; or none takes what planners are told.
    """
    known = {c.label: look_at(c) for c in contestants if not c.foreign}
    foreign = [c for c in contestants if c.foreign]
    for c, answer in workers.run(look_at, foreign, owner=lambda c: c.label):
        died = f"the policy {c.name!r} ended the process that it was made in"
        known[c.label] = Known(False, False, died) if answer is NoAnswer.DIED else answer
    for c in contestants:
        if c.name == BAYES and (problem := why_no_bayes(setting)):
            known[c.label] = known[c.label]._replace(problem=problem)
    problems = {c.label: known[c.label].problem for c in contestants if known[c.label].problem}
    for c in contestants:
        # a policy folder that is one, but of another version or damaged, costs only itself; so does `bayes`
        itself = c.name == BAYES or (Path(c.name) / MANIFEST_FILE).is_file()
        if c.label in problems and (len(problems) == len(contestants) or not itself):
            raise PolicyError(problems[c.label])
    options = contestants[0].thinking.options()
    if options and not any(k.takes for k in known.values()):
        name = "--simulations" if "simulations" in options else "--time-per-decision"
        raise PolicyError(
            f"{name} is for policies that plan with {next(iter(options))}=, and none of these does; "
            "leave it out, or add one such as search"
        )
    return known


def owner_of(job: Job) -> object:
    """Who needs a process alone: each of somebody's own classes, for what it may do to the process."""
    return job.contestant.label if job.contestant.foreign else None


def failures_first(jobs: Sequence[Job]) -> list[Job]:
    """The jobs in an order that finds out early who fails: the first one of each policy before the others,
    and those of somebody's own classes before those of other policies.
    """
    first = set({job.contestant.label: job for job in reversed(jobs)}.values())
    return sorted(jobs, key=lambda job: (job not in first, not job.contestant.foreign))


def run_jobs(
    jobs: Sequence[Job], count: int, workers: Workers, failures: Mapping[str, str]
) -> Iterator[tuple[Job, Answer]]:
    """Jobs with their answers, in any order, from this process or from several.

    Somebody's own class plays in a process of its own even where there is one worker.

    Args:
        failures: label -> why it failed, kept by the caller between two answers; of a policy in there no
            further job is begun, and why it failed is the answer.
    """
    if count > 1:
        yield from answers_there(failures_first(jobs), workers, failures)
        return
    for job in failures_first(jobs):
        if job.contestant.foreign:
            yield from answers_there([job], workers, failures)
        else:
            yield job, failures.get(job.contestant.label) or answer_to(job)


def answers_there(
    jobs: Sequence[Job], workers: Workers, failures: Mapping[str, str]
) -> Iterator[tuple[Job, Answer]]:
    """Jobs with their answers, in any order, from other processes."""
    for job, answer in workers.run(
        answer_to, jobs, owner_of, lambda job: failures.get(job.contestant.label)
    ):
        yield job, answer.value if answer is NoAnswer.DIED else answer


def play_all(
    jobs: Sequence[Job],
    count: int,
    workers: Workers,
    cache: ResultCache | None,
    progress: Progress,
    failed: Failed,
) -> dict[Job, Answer]:
    """The answers to all jobs: what is in the cache is not played again, what is played is put there."""
    answers: dict[Job, Answer] = {}
    failures: dict[str, str] = {}
    files = {job: cache.file(*job) if cache else None for job in jobs}
    for job in jobs:
        if cache and (kept := cache.get(files[job], job.n)):
            answers[job] = kept
            progress(job.contestant.label, job.n)
    left = [job for job in jobs if job not in answers]
    for job, answer in run_jobs(left, count, workers, failures):
        answers[job], label = answer, job.contestant.label
        if cache and isinstance(answer, Played):
            cache.put(files[job], answer)
        if isinstance(answer, str) and label not in failures:
            failures[label] = answer
            failed(label, answer)
        progress(label, job.n)
    return answers


class Question(NamedTuple):
    """Who is to be judged on what."""

    policies: dict[str, str]
    """Label -> name, folder or `module:Class`."""
    setting: Setting
    workers: int = 1
    """Processes; they change no figure but times and what is limited by seconds."""
    thinking: Thinking = AS_IT_IS
    """How long planners may think; others play as they are."""
    cache: ResultCache | None = None
    """Of results; None: everything is played."""


class Judged(NamedTuple):
    """The verdict."""

    question: Question
    result: dict[str, Any]
    """What `fqg evaluate --json` prints. A policy that raises has only the key `error`."""
    played: dict[str, Played]
    """Label -> its episodes, of the policies that were judged."""


def evaluate(
    policies: dict[str, str],
    setting: Setting,
    workers: int = 1,
    progress: Progress = lambda label, n: None,
    thinking: Thinking = AS_IT_IS,
    cache: ResultCache | None = None,
) -> dict[str, Any]:
    """What `fqg evaluate --json` prints of these policies on this setting; see `Question` and `judge`.

    Raises:
        PolicyError: a policy cannot be had.
        LevelError: a level or a split cannot be had.
    """
    return judge(Question(policies, setting, workers, thinking, cache), progress).result


def judge(
    question: Question,
    progress: Progress = lambda label, n: None,
    failed: Failed = lambda label, why: None,
) -> Judged:
    """Let policies play and judge them.

    Args:
        question: who, and on what.
        progress: called with a label and the number of episodes that have ended; 0 when all is known to be
            playable and the first begins.
        failed: called when a policy fails, while the others play on.

    Raises:
        PolicyError: a policy cannot be had.
        LevelError: a level or a split cannot be had.
    """
    setting, thinking = question.setting, question.thinking
    size = check_setting(setting)
    contestants = [Contestant(label, name, thinking) for label, name in question.policies.items()]
    with Workers(question.workers) as staff:
        known = check_contestants(contestants, setting, staff)
        for label, its in known.items():
            if its.problem:
                failed(label, its.problem)
        progress(contestants[0].label, 0)
        jobs = [
            job
            for c in contestants
            if not known[c.label].problem
            for job in jobs_of(c, setting, SLOW_CHUNK if known[c.label].thinks else CHUNK)
        ]
        answers = play_all(jobs, question.workers, staff, question.cache, progress, failed)
    by_luck, errors = sorted_out(answers, jobs)
    errors |= {label: k.problem for label, k in known.items() if k.problem}
    played = {label: each[0] for label, each in by_luck.items()}
    beside, paired, gap = compare(question.policies, setting, played)
    results: dict[str, dict[str, Any]] = {}
    for label in question.policies:
        if label in errors:
            results[label] = {"error": errors[label]}
            continue
        told = thinking.options() if known[label].takes else {}
        results[label] = {**figures_of(by_luck[label], setting), **beside[label], **told}
    result = {
        **described(setting, size.name),
        "policies": results,
        "paired": paired,
        "gap": gap,
    }
    return Judged(question, result, played)


def sorted_out(
    answers: dict[Job, Answer], jobs: Sequence[Job]
) -> tuple[dict[str, list[Played]], dict[str, str]]:
    """Label -> what it played under each luck; and label -> why it could not play on, where it could not."""
    grouped: dict[str, list[Job]] = {}
    for job in jobs:
        grouped.setdefault(job.contestant.label, []).append(job)
    played, errors = {}, {}
    for label, each in grouped.items():
        parts = [answers[job] for job in each]
        failures = [part for part in parts if isinstance(part, str)]
        if failures:
            errors[label] = failures[0]
        else:
            whole = [part for part in parts if isinstance(part, Played)]
            played[label] = under_each_luck(each, whole)
    return played, errors


def under_each_luck(jobs: Sequence[Job], parts: Sequence[Played]) -> list[Played]:
    """What one policy played, by luck; lucks under which nothing was played are left out."""
    by_luck: dict[int, list[Played]] = {}
    for job, part in zip(jobs, parts, strict=True):
        by_luck.setdefault(job.luck, []).append(part)
    return [joined(by_luck[luck]) for luck in sorted(by_luck)]


def figures_of(by_luck: Sequence[Played], setting: Setting) -> dict[str, Any]:
    """The figures of one policy from what it played under each luck, the usual one first."""
    again = tried_again(setting)
    trials = [played.episodes["success"][:again].astype(int) for played in by_luck]
    return figures(by_luck[0], trials)


def described(setting: Setting, size: str) -> dict[str, Any]:
    """What was played, as the result says it."""
    mixes = mixes_of(setting)
    return {
        "split": setting.split,
        "episodes": setting.episodes,
        "seed": setting.seed,
        "tiers": list(setting.tiers) if setting.drawn else None,
        "size": size,
        "mix": ",".join(mixes) or None,
        "mode": setting.mode if setting.drawn else None,
        "levels": list(setting.levels),
    }


def evaluation_title(result: dict[str, Any]) -> str:
    """Which levels were played."""
    if result["levels"]:
        files = counted(len(result["levels"]), "level file")
        return f"{counted(result['episodes'], 'episode')} of {files}"
    levels = f"{counted(result['episodes'], 'level')} of {result['split']}"
    if result["tiers"] is None:
        return f"{levels}, {result['size']}"
    low, high = result["tiers"]
    return (
        f"{levels}, tiers {low} to {high}, "
        f"{result['size']}, mix {result['mix']}, mode {result['mode']}"
    )
