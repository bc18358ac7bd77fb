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

# Hours on one core; `make fuzz CASES=1000 SEED=2` for fewer or other cases.
CASES = 10000
SEED = 1
fuzz:
	FUZZ_CASES=$(CASES) FUZZ_SEED=$(SEED) pytest -q -s tests/fuzz/test_fuzz.py

KILLS = 100
kill:
	python tests/fuzz/kill.py $(KILLS)
