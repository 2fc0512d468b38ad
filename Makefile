# A fresh clone needs only Python 3.11, 3.12 or 3.13 with venv, and make:  make demo,  make test.
# PYTHON=python3.13 names one; otherwise requirements/find_python does.

PORT ?= 8000
VENV ?= .venv
RUN := $(VENV)/bin/python

# In a C locale Python uses UTF-8 only when it is set.
export PYTHONUTF8 := 1
export VENV

.NOTPARALLEL:
.PHONY: demo setup bench soak check test test-deploy test-all test-core lock audit package zappa-settings clean

ENVIRONMENT ?= production

# TODAY=2026-01-31 begins a new data folder on that day.
demo: $(VENV)/local.stamp
	@exec $(RUN) manage.py demo --port $(PORT) $(if $(TODAY),--today '$(TODAY)')

setup: $(VENV)/dev.stamp

# Everything but the tests of the package and the deployment, which take minutes and need more tools.
test: check
	$(RUN) -m pytest -q -n 2 --cov --ignore=tests/deploy

# The real package under AWS's runtime client, the real Zappa and Terraform on a local AWS.
test-deploy: $(VENV)/dev.stamp
	$(RUN) -m pytest -q tests/deploy

# Both in one run; what needs the package stays in one process, which makes it once.
test-all: check
	$(RUN) -m pytest -q -n 2 --dist loadgroup --cov

# The product's own tests, which CI runs on a second Python too: make test-core PYTHON=python3.13 VENV=build/venv-3.13
test-core: $(VENV)/dev.stamp
	$(RUN) -m pytest -q -n 2 tests/unit tests/functional tests/conformance tests/integration

# The Lambda zip, by Zappa. ENVIRONMENT=staging for another; EXTRAS=stripe puts requirements/stripe.txt in.
# RUNTIME=python3.12 and ARCHITECTURE=arm64 change what zappa_settings.json says that the functions run on.
package: export EXTRAS := $(EXTRAS)
package: $(VENV)/dev.stamp
	@$(RUN) -m deploy package --environment $(ENVIRONMENT) \
		$(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(ARCHITECTURE),--architecture $(ARCHITECTURE))

# Fills zappa_settings.json from Terraform's outputs, or from a file: OUTPUTS=outputs.json.
zappa-settings: $(VENV)/dev.stamp
	@$(RUN) -m deploy zappa-settings --environment $(ENVIRONMENT) $(if $(OUTPUTS),--outputs $(OUTPUTS))

bench: $(VENV)/dev.stamp
	$(RUN) -m benchmarks.batches

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

# One lock for every Python from 3.11 on. The larger set comes first and holds the smaller ones to its versions, so that
# one .venv serves them all. Extras are kept: pip before 23.3 doesn't hold `coverage[toml]` to a pin of `coverage`, and
# fails once there is a newer release.
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

# An environment is looked at each time where a Python is named, which may be another than its own, and where it is broken.
LOOK := $(if $(PYTHON),FORCE,$(shell $(RUN) -c '' 2>/dev/null || echo FORCE))
FORCE:

$(VENV)/local.stamp: requirements/local.txt $(LOOK)
	@requirements/environment local

$(VENV)/dev.stamp: requirements/dev.txt $(LOOK)
	@requirements/environment dev && touch $(VENV)/local.stamp

define compile
$(RUN) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-strip-extras $(2) \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock' \
	--output-file requirements/$(1).txt requirements/$(1).in
endef
