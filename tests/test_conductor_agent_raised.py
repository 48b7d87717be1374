"""What an author reads of an exception: what it was, and where in the author's own code."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from conductor_agent.hosting.contract import CallRequest, ExtensionSource
from conductor_agent.hosting.raised import MAX_TOLD, MODELS
from conductor_agent.hosting.supervisor import Supervisor
from fqg_env.outcome import Category, StandardError
from policies.resource.limits import limits_for

LIMITS = limits_for("operator")
HEAD = "from conductor_agent.hosting.extension import extension\n"


def failure_of(folder: Path, text: str, **inputs: object) -> StandardError:
    """What a real worker answers for an extension of this text."""
    (folder / "reader.py").write_text(HEAD + text)

    async def asked() -> object:
        async with Supervisor(profile="group") as host:
            source = ExtensionSource(str(folder / "reader.py"))
            return (await host.call(source, CallRequest(inputs), LIMITS)).outcome

    outcome = asyncio.run(asked())
    assert isinstance(outcome, StandardError), outcome
    return outcome


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (  # the author's own line, not the library's that was asked from there
            "import json\n@extension\ndef read():\n    return json.loads('x')\n",
            "The extension crashed: JSONDecodeError: Expecting value: line 1 column 1 (char 0) (reader.py, line 5).",
        ),
        (  # below a means of recovery of ours
            "@extension\ndef read(context):\n    return context.retry(lambda: 1 // 0, attempts=2)\n",
            "The extension crashed: ZeroDivisionError: integer division or modulo by zero (reader.py, line 4).",
        ),
        (
            "@extension\nasync def read():\n    assert False\n",
            "The extension crashed: AssertionError (reader.py, line 4).",
        ),
        (
            "from parts.page import load\n@extension\ndef read():\n    load()\n",
            "The extension lacks a permission: PermissionError: no (parts/page.py, line 2).",
        ),
        (
            "@extension\ndef read()\n    return {}\n",
            "The extension does not load: SyntaxError: expected ':' (reader.py, line 3).",
        ),
        (
            "1 / 0\n",
            "The extension does not load: ZeroDivisionError: division by zero (reader.py, line 2).",
        ),
        (
            "@extension\ndef read():\n    exec('1 +')\n",
            "The extension crashed: SyntaxError: invalid syntax (<string>, line 1) (reader.py, line 4).",
        ),
        (
            "from math import nothing\n",
            "Something cannot be imported: ImportError: cannot import name 'nothing' from 'math'",
        ),
    ],
)
def test_a_failure_names_the_exception_and_the_authors_own_line(tmp_path, text, says):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "page.py").write_text("def load():\n    raise PermissionError('no')\n")
    message = failure_of(tmp_path, text).message
    assert message.startswith(says)
    assert "reader.py, line" in message or "page.py, line" in message


@pytest.mark.parametrize(
    ("text", "retryable"),
    [
        ("def read(:\n", False),
        ("reed()\n", False),
        ("import math\nmath.nothing\n", False),
        ("from math import nothing\n", False),
        ("import no_such_module\n", False),
        ("def read():\n    return {}\n", False),  # no extension
        ("open('model.bin')\n", None),  # another may write it
        ("raise ConnectionError('no')\n", True),
        ("None.text\n", None),
        (
            "@extension\ndef read():\n    reed()\n",
            None,
        ),  # loaded: the next input may go another way
    ],
)
def test_what_cannot_load_says_that_a_repeat_is_in_vain(tmp_path, text, retryable):
    assert failure_of(tmp_path, text).retryable is retryable


def test_long_and_many_lines_stay_one_short_line(tmp_path):
    text = "@extension\ndef read():\n    raise RuntimeError('a\\n' * 5000)\n"
    message = failure_of(tmp_path, text).message
    assert "\n" not in message and len(message) < MAX_TOLD + 100
    assert message.endswith("... (reader.py, line 4).")


def test_a_package_that_is_installed_is_the_author_where_it_is_the_extension(tmp_path):
    (tmp_path / "site-packages" / "other").mkdir(parents=True)
    (tmp_path / "site-packages" / "other" / "inside.py").write_text("def fail():\n    1 / 0\n")
    text = (
        f"import sys\nsys.path.append({str(tmp_path / 'site-packages')!r})\n"
        "from other.inside import fail\n@extension\ndef read():\n    fail()\n"
    )
    assert failure_of(tmp_path, text).message.endswith("by zero (reader.py, line 7).")
    (tmp_path / "site-packages" / "lib").mkdir()
    text = "@extension\ndef read():\n    1 / 0\n"
    found = failure_of(tmp_path / "site-packages" / "lib", text)
    assert found.message.endswith("by zero (reader.py, line 4).")


def test_a_missing_package_says_where_it_is_missing(tmp_path):
    found = failure_of(tmp_path, "import no_such_package\n")
    assert found.category is Category.UNSUPPORTED
    assert found.message == (
        f"The Python package no_such_package is missing in {sys.prefix}: install it there, for the "
        "extension (reader.py, line 2)."
    )


def test_what_a_workflow_of_this_package_lacks_is_an_extra(tmp_path):
    (tmp_path / "cv2.py").write_text("raise ModuleNotFoundError('gone', name='cv2')\n")
    source = ExtensionSource(
        "conductor_agent.scanned_page.repairs", "denoise", import_paths=(str(tmp_path),)
    )

    async def started() -> object:
        async with Supervisor(profile="group") as host:
            return await host.start(source, LIMITS)

    found = asyncio.run(started())
    assert isinstance(found, StandardError)
    assert found.message.startswith(
        f"The Python package cv2 is missing: {MODELS} brings it (repairs.py, line "
    )
