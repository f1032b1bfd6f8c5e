# Each command makes the virtual environment .venv on first use, and asks no questions.
# PYTHON=/path/to/python chooses the Python for it.

.DEFAULT_GOAL := help
.PHONY: help demo docs docs-open example test test-fast test-interleavings test-browser test-all mutate lint format bench bench-scale clean
export PYTHON
# Always use the tools in .venv, even if another environment is active.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

INSTALL = @.ci/python .ci/install.py
RUN = @.venv/bin/python -m

help:
	@echo 'make demo                  show sessions in MongoDB in a browser; stop it with Ctrl-C'
	@echo 'make docs                  build the documentation in build/docs'
	@echo 'make docs-open             build the documentation, and show it in a browser'
	@echo 'make example NAME=flask    serve the example of a framework; stop it with Ctrl-C'
	@echo 'make test                  check style, types and documents, then run all tests'
	@echo 'make test-fast             run the quick tests only, while you write; 90 seconds'
	@echo 'make test-browser          run the tests that need Chromium'
	@echo 'make test-interleavings    play all orders of the commands of overlapping requests; hours'
	@echo 'make test-all              test all versions of Python, frameworks and servers; an hour'
	@echo 'make mutate                change the package, and see whether the tests notice; hours'
	@echo 'make lint                  check style and types only'
	@echo 'make format                correct style and format automatically'
	@echo 'make bench                 compare the speed of session stores; five minutes'
	@echo 'make bench-scale          measure many processes and sessions, with wrk; ten minutes'
	@echo 'make clean                 remove .venv and all other generated files'
	@echo
	@echo 'MONGODB_URL=mongodb://... uses a running server, MONGOD=/path/to/mongod starts'
	@echo 'that program. Otherwise a server is found or installed.'

demo:
	$(INSTALL) demo
	$(RUN) examples.demo

docs:
	$(INSTALL) docs
	$(RUN) sphinx -qaE -W --keep-going docs build/docs

docs-open: docs
	$(RUN) webbrowser build/docs/index.html

example:
	@.ci/python -m examples.names "$(NAME)"
	$(INSTALL) examples
	$(RUN) examples "$(NAME)"

lint:
	$(INSTALL) dev
	$(RUN) ruff check --quiet
	$(RUN) ruff format --check --quiet
	$(RUN) mypy

format:
	$(INSTALL) dev
	$(RUN) ruff check --fix --quiet
	$(RUN) ruff format --quiet

# pytest runs last, so that its summary ends the output. Each worker process has a server
# of its own, and takes tests from the others when it has finished its own.
test: lint
	$(RUN) pytest -n auto --dist worksteal

# A tenth of the examples and rounds, and no server but that of each worker.
test-fast:
	$(INSTALL) dev
	TEST_EFFORT=tenth .venv/bin/python -m pytest --fast -n auto --dist worksteal

# Hours on two cores. "make test" plays the orders with few switches.
test-interleavings:
	$(INSTALL) dev
	INTERLEAVINGS=all .venv/bin/python -m pytest tests/interleavings

test-browser:
	$(INSTALL) dev
	$(RUN) pytest tests/browser

# All environments of tox.ini, one after the other.
test-all:
	$(INSTALL) dev
	$(RUN) tox run

# "make mutate MODULE=sessions/record" needs minutes.
mutate:
	$(INSTALL) mutation
	$(RUN) tests.mutation $(MODULE)

bench:
	$(INSTALL) bench
	$(RUN) benchmarks

# It needs wrk, of Debian's package of this name.
bench-scale:
	$(INSTALL) bench
	$(RUN) benchmarks.scale

clean:
	rm -rf .node examples/node/node_modules
	rm -rf .venv .venv.lock .pylons .tox .coverage .coverage.* htmlcov build dist *.egg-info .cache
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache screenshots
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
