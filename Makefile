# A fresh clone needs only Python 3.11 with venv, and make:  make demo,  make test.

ifndef PYTHON
PYTHON := $(shell command -v python3.11 || command -v python3)
endif
PORT ?= 8000
VENV := .venv
RUN := $(VENV)/bin/python

# A machine with a C locale has no UTF-8 unless Python is told.
export PYTHONUTF8 := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.NOTPARALLEL:
.PHONY: demo setup bench soak check test test-deploy test-all lock audit package zappa-settings clean

ENVIRONMENT ?= production

# TODAY=2026-01-31 begins a new data folder on that day.
demo: $(VENV)/local.stamp
	@exec $(RUN) manage.py demo --port $(PORT) $(if $(TODAY),--today '$(TODAY)')

setup: $(VENV)/dev.stamp

# Everything but the proofs of what is shipped, which take minutes and need more tools.
test: check
	$(RUN) -m pytest -q -n 2 --cov --ignore=tests/deploy

# The real package under AWS's runtime client, the real Zappa and Terraform on a local AWS.
test-deploy: $(VENV)/dev.stamp
	$(RUN) -m pytest -q tests/deploy

# Both in one run; what needs the package stays in one process, which makes it once.
test-all: check
	$(RUN) -m pytest -q -n 2 --dist loadgroup --cov

# The Lambda zip, by Zappa. ENVIRONMENT=staging for another; EXTRAS=stripe puts requirements/stripe.txt in.
package: export EXTRAS := $(EXTRAS)
package: $(VENV)/dev.stamp
	@$(RUN) -m deploy package --environment $(ENVIRONMENT)

# Fills zappa_settings.json from Terraform's outputs, or from a file: OUTPUTS=outputs.json.
zappa-settings: $(VENV)/dev.stamp
	@$(RUN) -m deploy zappa-settings --environment $(ENVIRONMENT) $(if $(OUTPUTS),--outputs $(OUTPUTS))

bench: $(VENV)/dev.stamp
	$(RUN) -m benchmarks.packs

# The long form of tests/soak: about a quarter of an hour. SOAK_SEED repeats a run's choices.
soak: export SOAK_ACCOUNTS ?= 5000
soak: export SOAK_KILLS ?= 50
soak: $(VENV)/dev.stamp
	$(RUN) -m pytest -q -s tests/soak

# Everything but the tests themselves. The database that some of these look at is the tests' own.
check: export BILLING_DATA := .local-test
check: $(VENV)/dev.stamp
	$(RUN) -m ruff check --quiet .
	$(RUN) -m ruff format --quiet --check .
	DATABASE_URL=postgres:///none SECRET_KEY=checks $(RUN) -m mypy .
	$(RUN) -c 'from importlinter.cli import lint_imports_command as lint; lint()'
	$(RUN) manage.py makemigrations --check --dry-run
	$(RUN) manage.py check
	$(RUN) manage.py spectacular --validate --fail-on-warn --file /dev/null

# The larger set comes first and holds the smaller ones to its versions, so that one .venv serves them all. Extras are
# kept: pip before 23.3 doesn't hold `coverage[toml]` to a pin of `coverage`, and fails once there is a newer release.
lock: $(VENV)/dev.stamp
	$(call compile,dev)
	$(call compile,local,--constraints requirements/dev.txt)
	$(call compile,runtime,--constraints requirements/dev.txt)
	$(call compile,stripe,--constraints requirements/dev.txt)

audit: $(VENV)/dev.stamp
	$(RUN) -m pip_audit --strict --requirement requirements/runtime.txt --requirement requirements/stripe.txt --disable-pip

# .local stays: it holds data. Remove it by hand to start anew.
clean:
	rm -rf $(VENV) build .local-test .coverage htmlcov staticfiles .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/local.stamp: requirements/local.txt
	$(call install,local,about half a minute)
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt
	$(call install,dev,about a minute)
	@touch $(VENV)/local.stamp $@

define install
@test -n "$(PYTHON)" || { echo "make: Python 3.11 is needed, and none was found; name one with PYTHON=/path/to/python3.11" >&2; exit 1; }
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "make: Python 3.11 is needed, and $(PYTHON) isn't; name one with PYTHON=/path/to/python3.11" >&2; exit 1; }
@echo "setting up $(VENV) from requirements/$(1).txt ($(2))..."
@$(RUN) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
@$(RUN) -m pip install --quiet --require-hashes --use-pep517 --requirement requirements/$(1).txt
endef

define compile
$(RUN) -m uv pip compile --quiet --upgrade --generate-hashes --no-strip-extras --python-version 3.11 $(2) \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock' \
	--output-file requirements/$(1).txt requirements/$(1).in
endef
