"""`fqg compile`: what the first command of each size would otherwise wait for."""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from fqg_env.arrays import SIZES
from fqg_env.compiled import cache_folder
from fqg_env.faces import size_named
from training.terminal import CONSOLE, NOT_ACHIEVED, JsonOption, command, fail, print_json


@command
def compile_rules(
    sizes: Annotated[
        str, typer.Option(help=f"Sizes of levels, separated by commas: {', '.join(SIZES)}.")
    ] = "small,standard",
    as_json: JsonOption = False,
) -> None:
    """Compile the rules for this machine, the sizes side by side.

    Nothing needs it: whatever plays compiles what it needs, once, and keeps it. This command does it
    ahead and on all cores: three to four minutes on 2 cores for the sizes small and standard side by side;
    what one environment of one size needs takes about 70 s. What is compiled lies in FQG_CACHE_DIR, else
    in the cache folder of the user. Of several commands that need the same size at once, one compiles and the
    others wait for it.
    """
    from training.compile_ahead import compile_all

    wanted = [size_named(name.strip()).name for name in sizes.split(",") if name.strip()]
    if not wanted:
        fail("--sizes names none; write them as in small,standard")
    began, took_s = time.monotonic(), dict[str, float]()

    def tell(size: str) -> None:
        took_s[size] = time.monotonic() - began
        if not as_json:
            typer.echo(f"{size}: ready, {took_s[size]:.0f} s")

    with CONSOLE.status(f"compiling the rules ({', '.join(wanted)}), some minutes"):
        died = compile_all(wanted, os.cpu_count() or 1, tell)
    if as_json:
        print_json({"folder": cache_folder(), "elapsed_s": took_s, "failed": died})
    if died:
        sentence = "its process was ended, for want of memory perhaps; try one size at a time"
        fail(f"{', '.join(died)}: {sentence}", NOT_ACHIEVED)
