"""The shape of the tree: what every module says of itself, what is packaged, what is not loaded."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from fqg_env.compiled import kernel_files

ROOT = Path(__file__).parent.parent
STACK = ("fqg_env", "policies", "conductor_agent", "training")
MODULES = sorted(path for package in STACK for path in (ROOT / package).rglob("*.py"))
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
EAGER = {"fqg_env/library/__init__.py": "the folder holds YAML files; this is the one module there"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list)


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.stmt, str | None]]:
    """Public functions, classes and methods: (name, node, docstring)."""
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_") or is_overload(node):
            continue
        yield prefix + node.name, node, ast.get_docstring(node)
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_and_what_is_public_in_it_say_what_they_are(path):
    tree = ast.parse(path.read_text("utf-8"))
    words = ast.get_docstring(tree)
    assert words and words.splitlines()[0].strip()
    assert [name for name, _, doc in public(tree.body) if not doc] == []


def test_the_floor_is_named_once():
    """As who decided; a key of a result may be called so too."""
    named = []
    for path in MODULES:
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        keys = {id(key) for node in nodes if isinstance(node, ast.Dict) for key in node.keys}
        words = [node for node in nodes if isinstance(node, ast.Constant) and id(node) not in keys]
        named += [relative(path) for node in words if node.value == "floor"]
    assert named == ["policies/recovery/base.py"]


def branches(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """What an `if`, a loop or a `try` can do without where there is nothing in it."""
    if isinstance(node, ast.If):
        yield node.body
    for name in ("orelse", "finalbody"):
        if isinstance(branch := getattr(node, name, None), list):
            yield branch


def test_no_branch_is_empty():
    """An `except` may be: it names what is no failure there (ruff refuses one that names nothing)."""
    empty = [
        f"{relative(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for branch in branches(node)
        if branch and isinstance(branch[0], ast.Pass)
    ]
    assert empty == []


def test_every_package_is_listed():
    found = {path.parent.relative_to(ROOT).as_posix() for path in MODULES}
    assert {name.replace(".", "/") for name in SETUPTOOLS["packages"]} == found
    assert all((ROOT / folder / "__init__.py").exists() for folder in found)


def test_every_data_file_is_packaged():
    patterns = SETUPTOOLS["package-data"]
    packages = sorted(SETUPTOOLS["packages"], key=len)
    kept = subprocess.run(
        ["git", "ls-files", *STACK], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if kept.returncode:
        pytest.skip("not a git checkout")
    data = [Path(name) for name in kept.stdout.splitlines() if not name.endswith(".py")]

    def packaged(file):
        home = [name for name in packages if file.is_relative_to(name.replace(".", "/"))][-1]
        inside = file.relative_to(home.replace(".", "/"))
        depth = len(inside.parts)
        asked = (*patterns["*"], *patterns.get(home, ()))
        return any(fnmatch(str(inside), p) and p.count("/") + 1 == depth for p in asked)

    assert [str(file) for file in data if not packaged(file)] == []
    assert {str(file.parent) for file in data if file.name == "py.typed"} == set(STACK)


def test_packages_are_lazy():
    eager = {
        relative(path)
        for path in MODULES
        if path.name == "__init__.py" and len(ast.parse(path.read_text("utf-8")).body) > 1
    }
    assert eager == set(EAGER)


def test_the_lower_packages_load_no_trainer():
    script = ROOT / "tests" / "no_torch.py"
    done = subprocess.run(
        [sys.executable, script, "--modules"],
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def kernels(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(d, ast.Name) and d.id == "kernel" for d in node.decorator_list
        ):
            yield node


def test_what_kernels_read_is_part_of_the_name_of_their_cache():
    """A constant or a kernel from elsewhere would be compiled in, and its change not be seen."""
    known = {relative(path)[:-3].replace("/", ".") for path in kernel_files()}
    seen = 0
    for path in MODULES:
        bodies = list(kernels(path))
        if not bodies:
            continue
        assert relative(path)[:-3].replace("/", ".") in known
        origin = {}
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in STACK:
                for alias in node.names:
                    module = f"{node.module}.{alias.name}"
                    is_module = (ROOT / (module.replace(".", "/") + ".py")).exists()
                    origin[alias.asname or alias.name] = module if is_module else node.module
        for body in bodies:
            names = {n.id for n in ast.walk(ast.Module(body.body, [])) if isinstance(n, ast.Name)}
            read = {origin[name] for name in names & set(origin)}
            assert read <= known, f"{relative(path)}: {body.name}"
            seen += 1
    assert seen > 100
    assert "fqg_env.frequencies" in known  # read through the tables of faults.py
