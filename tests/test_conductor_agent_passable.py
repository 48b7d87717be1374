"""What a process is given to start with: the most that is allowed really reaches one."""

from __future__ import annotations

import json
import subprocess

from conductor_agent.files.passable import VARIABLE_BYTES, VARIABLES_BYTES, WORDS_BYTES, unpassable


def test_the_most_that_is_allowed_reaches_a_process() -> None:
    largest = {"A": "é" * (VARIABLE_BYTES // 2 - 1)}
    small = {
        f"B{number:04}": "b" * 94 for number in range((VARIABLES_BYTES - VARIABLE_BYTES) // 100)
    }
    variables, word = largest | small, "\1" * WORDS_BYTES
    assert unpassable([word], variables) is None
    assert unpassable([f"{word}a"], variables) is not None
    assert unpassable([word], variables | {"C": "c"}) is not None
    assert unpassable([], {"A": f"{largest['A']}a"}) is not None
    given = {**variables, "COMMAND": json.dumps([word])}
    line = ["/bin/sh", "-c", 'printf %s "$A" | /usr/bin/wc -c']
    told = subprocess.run(line, env=given, capture_output=True, text=True, check=True).stdout
    assert int(told) == VARIABLE_BYTES - 2


def test_a_variable_whose_name_would_be_read_as_another_is_refused() -> None:
    assert unpassable([], {"A": "x=y"}) is None
    assert "`=` in a variable's name" in (unpassable([], {"A=B": "x"}) or "")
