"""Without the extras: import every module below `training`, and use what is installed through its commands.

.ci/wheel calls it in an environment that holds nothing but the base installation; `--modules` only imports
(the test suite does that, where the extras may be installed but must not be loaded).
"""

import importlib
import importlib.util
import json
import pkgutil
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = ("fqg_env", "policies", "conductor_agent")
TRAINERS = ("torch", "stable_baselines3", "sb3_contrib")
MODELS = ("cv2", "rapidocr", "sklearn", "py3langid", "RNA")
NEEDS_MODELS = {
    f"conductor_agent.scanned_page.{name}"
    for name in (
        "clean",
        "hints",
        "images",
        "inspect_page",
        "judge",
        "orientation",
        "pages",
        "read",
        "recognise",
        "repairs",
        "straighten",
    )
}
"""The real models of the scanned page and what handles its images: they are there for the extra `models`."""

HERE = Path(__file__).parent
WORKFLOW = HERE / "workflows" / "page.yaml"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def import_all() -> int:
    """Import every module but those that lack the models; returns how many."""
    models = all(importlib.util.find_spec(name) for name in MODELS)
    names = []
    for package in PACKAGES:
        names.append(package)
        path = importlib.import_module(package).__path__
        names += [module.name for module in pkgutil.walk_packages(path, package + ".")]
    wanted = [name for name in names if models or name not in NEEDS_MODELS]
    for name in wanted:
        importlib.import_module(name)
    if gone := NEEDS_MODELS - set(names):
        sys.exit(f"NEEDS_MODELS names what is not there: {sorted(gone)}")
    if loaded := sorted({name.split(".")[0] for name in sys.modules} & set(TRAINERS)):
        sys.exit(f"importing the lower packages loads {', '.join(loaded)}")
    return len(wanted)


def answer(folder: Path, *words: str) -> dict:
    """What a command of this very environment answers as JSON."""
    command = Path(sys.executable).parent / words[0]
    done = subprocess.run(
        [command, *words[1:], "--json"], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def write_note(folder: Path) -> None:
    """The workflow that README.md shows, as its two files."""
    shown = FENCE.findall((HERE.parent / "README.md").read_text("utf-8"))
    code = next(text for _, text in shown if text.startswith("from conductor_agent.hosting"))
    (folder / "note.py").write_text(code, "utf-8")
    workflow = next(text for language, text in shown if language == "yaml")
    (folder / "note.yaml").write_text(workflow, "utf-8")


def use_all(folder: Path) -> None:
    """Run workflows, list levels and judge policies with the data files that came along."""
    write_note(folder)
    for workflow in (str(WORKFLOW), "note.yaml"):
        result = answer(folder, "conductor", "run", workflow)
        if result["status"] != "succeeded":
            sys.exit(f"conductor run {workflow}: {result}")
    levels = answer(folder, "fqg", "levels", "list")["levels"]
    if len(levels) < 9:
        sys.exit(f"fqg levels list: only {len(levels)} levels with a story")
    judged = answer(folder, "fqg", "evaluate", "--policies", "shipped,index", "--episodes", "8")
    if any("error" in figures for figures in judged["policies"].values()):
        sys.exit(f"fqg evaluate: {judged['policies']}")


def main() -> None:
    """Import, and unless told otherwise check that nothing else is installed, and use it."""
    if "--modules" not in sys.argv:
        extras = [name for name in (*TRAINERS, *MODELS) if importlib.util.find_spec(name)]
        if extras:
            sys.exit(f"this is no base installation: it holds {', '.join(extras)}")
    print(f"{import_all()} modules imported")
    if "--modules" not in sys.argv:
        home = Path(importlib.import_module("fqg_env").__file__ or "")
        if not home.is_relative_to(sys.prefix):
            sys.exit(f"it is not installed here, it comes from {home}")
        with tempfile.TemporaryDirectory() as folder:
            use_all(Path(folder))
        print("workflows have run, levels are there, policies were judged")


if __name__ == "__main__":
    main()
