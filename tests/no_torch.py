"""Without the extras: import every module below `training`, and run a workflow with `conductor`.

.ci/run calls it in an environment that holds nothing but the base installation; `--modules` only imports
(the test suite does that, where the extras may be installed but must not be loaded).
"""

import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = ("fqg_env", "policies", "conductor_agent")
TRAINERS = ("torch", "stable_baselines3", "sb3_contrib")
MODELS = ("cv2", "rapidocr", "sklearn", "py3langid")
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

WORKFLOW = Path(__file__).parent / "workflows" / "page.yaml"


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


def run_workflow() -> None:
    """Run a workflow with the command of this very environment."""
    command = Path(sys.executable).parent / "conductor"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [command, "run", WORKFLOW, "--journal", Path(folder) / "runs.sqlite", "--json"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"conductor run: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    result = json.loads(done.stdout)
    if result["status"] != "succeeded":
        sys.exit(f"conductor run: {result}")


def main() -> None:
    """Import, and unless told otherwise check that nothing else is installed, and run."""
    if "--modules" not in sys.argv:
        extras = [name for name in (*TRAINERS, *MODELS) if importlib.util.find_spec(name)]
        if extras:
            sys.exit(f"this is no base installation: it holds {', '.join(extras)}")
    print(f"{import_all()} modules imported")
    if "--modules" not in sys.argv:
        run_workflow()
        print("a workflow has run")


if __name__ == "__main__":
    main()
