"""A training of a second for tests, and the commands on it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from training.cli import app
from training.learning.recipe import Recipe, Teaching

TINY = Recipe(name="tiny", lanes=16, steps=128, rollout=4, batch=32, hidden=8, success_episodes=16)
TAUGHT = TINY.model_copy(
    update={"steps": 256, "teacher": Teaching(labels=96, worlds=1, steps=2, batch=16, epochs=2)}
)


def recipe_file(folder: Path, recipe: Recipe = TINY, **changes: object) -> str:
    file = folder / f"{recipe.name}.yaml"
    data = recipe.model_dump(mode="json") | changes
    file.write_text("\n".join(f"{k}: {json.dumps(v)}" for k, v in data.items()))
    return str(file)


def fqg(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def only_sentence(result: Result) -> str:
    said = [line for line in result.stderr.splitlines() if line.startswith("fqg:")]
    assert len(said) == 1, result.stderr
    assert "Traceback" not in result.output
    return said[0]
