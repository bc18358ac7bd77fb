# The five things one does, in an active virtual environment.
.PHONY: install test check docs format

install:
	pip install -c constraints.txt -e ".[test,docs]"

test:
	pytest -n 2 --dist loadfile

check:
	ruff check .
	ruff format --check .
	codespell
	mypy

docs:
	sphinx-build -W -b html docs docs/_build/html

format:
	ruff check --fix .
	ruff format .
