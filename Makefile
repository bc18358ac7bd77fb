# The things one does, in an active virtual environment.
.PHONY: install test check docs format fuzz kill

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

# An hour of one core; `make fuzz CASES=1000 SEED=2` for fewer or other cases, in a folder of theirs.
CASES = 10000
SEED = 1
fuzz:
	python tests/fuzz/long_run.py /tmp/fuzz-$(CASES)-$(SEED) $(CASES) $(SEED)

KILLS = 100
kill:
	python tests/fuzz/kill.py $(KILLS)
