"""`fqg evaluate`: what it takes, what it refuses, and what it prints."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from conductor_agent.plain import counted
from fqg_env.errors import LevelError
from fqg_env.shapes import TIERS
from fqg_env.splits import SPLITS
from policies.recovery.registry import BUILT_IN, PolicyError
from training.commands.setting_options import (
    MixesOption,
    ModeOption,
    SeedOption,
    SizeOption,
    SplitOption,
    TiersOption,
)
from training.disk import check_file
from training.pages.terminal_tables import print_figures
from training.terminal import (
    INTERRUPTED,
    NOT_ACHIEVED,
    JsonOption,
    bar,
    command,
    fail,
    given,
    print_json,
    say,
)

DRAWS = ("split", "tiers", "size", "mix", "mode")
"""Options that say how levels are drawn."""


def tier_range(text: str) -> tuple[int, int]:
    """`16-20` or `16` as a pair.

    Raises:
        LevelError: it is neither, or out of range.
    """
    low, dash, high = text.partition("-")
    try:
        pair = (int(low), int(high if dash else low))
    except ValueError:
        raise LevelError(f"--tiers {text!r}: write one tier or a range, as in 16-20") from None
    if not 1 <= pair[0] <= pair[1] <= TIERS:
        raise LevelError(f"--tiers {text!r}: tiers run from 1 to {TIERS}, the lower first")
    return pair


def numbered(files: tuple[str, ...]) -> tuple[str, ...]:
    """Files in the order of the numbers in their names: `seed9` before `seed10`, as they were made."""
    return tuple(sorted(files, key=lambda file: [*map(part_in_order, re.split(r"(\d+)", file))]))


def part_in_order(part: str) -> tuple[int, str]:
    """Digits by their number, other parts of a name by their letters."""
    return (int(part), "") if part.isdecimal() else (-1, part)


def refuse_draws(context: typer.Context) -> None:
    """Leave where an option says how levels are drawn, beside level files."""
    those = [f"--{name}" for name in DRAWS if given(context, name)]
    if those:
        say = "says" if len(those) == 1 else "say"
        it = "it" if len(those) == 1 else "them"
        fail(f"{' and '.join(those)} {say} how levels are drawn; leave {it} out beside --levels")


def evaluate(
    context: typer.Context,
    policies: Annotated[
        str,
        typer.Option(
            help=f"Separated by commas: {', '.join(BUILT_IN)}; a folder that was exported; or your own, as "
            "module:Class (a class with decide(observation, mask); the module may be in the current folder)."
        ),
    ] = "random,retry_fallback,cascade,code_aware,router,index,oracle",
    split: SplitOption = "test",
    episodes: Annotated[
        int, typer.Option(min=1, max=10**7, help="Levels that each policy plays.")
    ] = 1000,
    seed: SeedOption = 0,
    tiers: TiersOption = "1-20",
    size: SizeOption = "small",
    mix: MixesOption = "",
    mode: ModeOption = "hybrid",
    levels_dir: Annotated[
        Path | None,
        typer.Option(
            "--levels",
            help="Folder of level files to play instead, in turn, in the order of their names; their luck is "
            "that of `--split test` at the --seed that is given here.",
        ),
    ] = None,
    simulations: Annotated[
        int | None, typer.Option(min=1, help="What planners may simulate for one decision.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--time-per-decision", min=1e-6, help="Seconds that planners may think."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes; they change no figure but times.")
    ] = 1,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with the plots to this HTML file.")
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Play everything, and keep nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let policies play the same levels under the same luck, and compare them.

    What was played is kept by content in the cache folder (FQG_CACHE_DIR, else ~/.cache; fqg/evaluations in
    it), so that the same command goes on where it was cut and a longer comparison pays only for what is new.
    Your own module:Class is never kept, and plays in a process of its own.

    The exit code is 0 where a policy was judged, and 4 where every one failed.
    """
    from training.judging import evaluate as judge
    from training.judging.contestants import Thinking
    from training.judging.result_cache import ResultCache, default_folder
    from training.judging.setting import Setting, level_files

    labels = dict.fromkeys(name.strip() for name in policies.split(",") if name.strip())
    if not labels:
        fail("--policies names none; write names separated by commas, as in index,code_aware")
    if levels_dir:
        refuse_draws(context)
    elif given(context, "tiers") and split in SPLITS and SPLITS[split].templates:
        fail(f"the templates of {split!r} have no tiers; leave --tiers out")
    if simulations is not None and seconds is not None:
        fail("--simulations and --time-per-decision both limit a planner; give one of them")
    if report:
        check_file("--report", report)
    setting = Setting(
        split="levels" if levels_dir else split,
        episodes=episodes,
        seed=seed,
        tiers=tier_range(tiers),
        size=size,
        mix=mix,
        mode=mode,
        levels=numbered(level_files(levels_dir)) if levels_dir else (),
    )
    cache = None if no_cache else ResultCache(default_folder())
    question = judge.Question(
        {name: name for name in labels}, setting, workers, Thinking(simulations, seconds), cache
    )
    judged = watched(question)
    result = judged.result
    if report:
        from training.pages.evaluation_page import write_evaluation

        result["report"] = str(write_evaluation(report, judged))
    if as_json:
        print_json(result)
    else:
        console = Console(highlight=False)
        print_figures(console, result, judge.evaluation_title(result))
        if report:
            console.print(f"report: {report}", markup=False)
    if all("error" in p for p in result["policies"].values()):
        raise typer.Exit(NOT_ACHIEVED)


def watched(question: Any) -> Any:
    """Judge under a progress bar, which appears when all is known to be playable."""
    from training.judging import evaluate as judge

    total = judge.episodes_to_play(question.setting) * len(question.policies)
    levels, done = counted(question.setting.episodes, "level"), 0
    with contextlib.ExitStack() as shown:
        update: Any = None

        def tell(label: str, n: int) -> None:
            nonlocal done, update
            if update is None:  # all is known to be playable
                update = shown.enter_context(bar(f"evaluating on {levels}", total))
            done += n
            update(done, label)

        return judged_or_refused(question, tell)


def judged_or_refused(question: Any, tell: Any) -> Any:
    """Judge; a policy that cannot be had is one sentence, and Ctrl-C says how to go on."""
    from training.judging import evaluate as judge

    try:
        return judge.judge(question, tell, tell_failed)
    except PolicyError as problem:
        fail(str(problem))
    except KeyboardInterrupt:
        again = "to start again"
        if question.cache and question.cache.keeps():
            again = f"to go on; what was played is kept in {question.cache.folder}"
        fail(f"interrupted; run the same command {again}", INTERRUPTED)


def tell_failed(label: str, why: str) -> None:
    """Say at once that a policy has failed: the others may play for hours."""
    say(f"{label} failed, and is left out: {why}")


evaluate_command = command(evaluate)
