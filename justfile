# One command for all checks: `just check`. What a machine runs from nothing: `.ci/run`.

# list the recipes
default:
    @just --list

# everything below, in the environment that is active
check: format-check lint types imports dependencies test

# run the tests in two processes; arguments go to pytest
test *arguments:
    pytest -n 2 --dist loadfile {{arguments}}

# run the tests, with branches covered
coverage:
    pytest --cov --cov-report=term-missing:skip-covered

# ruff, all rules but those that pyproject.toml gives a reason for
lint:
    ruff check

# rewrite in the common form
format:
    ruff format

# say what is not in the common form
format-check:
    ruff format --check

# mypy, strict; and pyright, which sees other things
types:
    mypy
    pyright

# the stack: imports go down only
imports:
    lint-imports

# what is imported is declared, what is declared is imported
dependencies:
    deptry .

# run the notebooks and keep what they answer; arguments: some of them
notebooks *files:
    python notebooks/run.py {{files}}

# the wheel alone in a fresh environment; with extras (`just wheel train,models`) the whole quickstart
wheel extras="":
    .ci/wheel {{extras}}

# from nothing, in fresh environments
ci:
    .ci/run
