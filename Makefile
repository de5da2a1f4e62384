# Everything a person types. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run setup test mutants faults check bench bench-docs format messages clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/.installed ## Set up what is missing and run everything on http://127.0.0.1:8000 (PORT, HOST, DATA_DIR)
	@$(BIN)/python -m backupsvc.launch

setup: .venv/.installed ## Set up without starting anything (production: then start web, worker and beat)
	@$(BIN)/python -m backupsvc.launch.assets
	@$(BIN)/python -m backupsvc.launch.messages
	@$(BIN)/python manage.py prepare --no-demo

test: .venv/.tests-installed ## Run all tests, on SQLite and, where there is one, on PostgreSQL with Redis
	@$(BIN)/python -m tests

mutants: .venv/.tests-installed ## Switch each safeguard off in turn: the tests must notice (some minutes)
	@$(BIN)/python -m tests.mutation

N ?= 200
faults: .venv/.tests-installed ## N faults of the surroundings under a small load, on servers of its own (an hour or two)
	@$(BIN)/python -m tests.faults $(N)

# Each by itself, so that `make --keep-going check` tells all that is wrong.
CHECKS := check-style check-form check-types check-floors check-templates check-migrations check-messages
.PHONY: $(CHECKS)
check: $(CHECKS) ## Style, types, floors, templates, migrations, translations
$(CHECKS): .venv/.tests-installed
check-style:
	$(BIN)/ruff check .
check-form:
	$(BIN)/ruff format --check --quiet .
check-types:
	$(BIN)/mypy
check-floors:
	$(BIN)/lint-imports --no-cache
check-templates:
	$(BIN)/djlint --quiet --lint --check templates
	$(BIN)/djlint --quiet --lint --profile jinja --extension jinja templates
check-migrations:
	ENV_FILE= $(BIN)/python manage.py makemigrations --check --dry-run
check-messages:
	$(BIN)/python -m backupsvc.launch.messages --check

bench: .venv/.bench-installed ## Measure everything beside its yardsticks (ROWS, ROUNDS, WORK=import,again…, ENGINE, JSON=1)
	@$(BIN)/python -m benchmarks --rows $(or $(ROWS),100000) --rounds $(or $(ROUNDS),3) $(if $(WORK),--work $(WORK)) $(if $(ENGINE),--engine $(ENGINE)) $(if $(JSON),--json)

# Sizes of the plot, measured once each; the last two are also measured beside their yardsticks.
SIZES ?= 10000 30000 100000 300000 1000000 5000000
BENCH_FOUND ?= /tmp/backupsvc-bench-found
bench-docs: .venv/.bench-installed ## Measure again what docs/performance.md says, and draw docs/growth.svg (hours; SIZES, ROWS, ROUNDS)
	@mkdir -p $(BENCH_FOUND) && rm -f $(BENCH_FOUND)/*.json
	@for size in $(SIZES); do $(BIN)/python -m benchmarks --rows $$size --rounds 1 --alone --work memory --engine postgresql --json > $(BENCH_FOUND)/grown-$$size.json || exit 1; done
	@for size in $(or $(ROWS),100000 1000000); do $(BIN)/python -m benchmarks --rows $$size --rounds $(or $(ROUNDS),3) --json > $(BENCH_FOUND)/beside-$$size.json || exit 1; done
	@$(BIN)/python -m benchmarks.growth $(BENCH_FOUND)/*.json

format: .venv/.tests-installed ## Put code and templates into their one form
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	-$(BIN)/djlint --quiet --reformat templates

messages: .venv/.installed ## Collect the texts to translate into locale/ (needs gettext)
	$(BIN)/python manage.py makemessages --all --extension html,txt,py,jinja --ignore "tests/*" --ignore "benchmarks/*" --no-obsolete --no-wrap --add-location=file

clean: ## Remove what was installed and made; your data in var/ stay
	rm -rf .venv node_modules static/vendor staticfiles .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find locale -name '*.mo' -delete

.venv/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	@echo "Installing Python packages into .venv …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.tests-installed: tests/requirements.txt .venv/.installed
	@echo "Installing what the tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@$(BIN)/python -m backupsvc.launch.assets --tests
	@touch $@

.venv/.bench-installed: benchmarks/requirements.txt .venv/.installed
	@echo "Installing what the benchmarks measure against …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@
