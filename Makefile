# A fresh clone needs only Python 3.11, 3.12 or 3.13 with venv, and make:  make demo,  make test.
# PYTHON=python3.13 names one; otherwise requirements/find_python does.

PORT ?= 8000
VENV ?= .venv
RUN := $(VENV)/bin/python

# In a C locale Python uses UTF-8 only when it is set.
export PYTHONUTF8 := 1
export VENV

.NOTPARALLEL:
.PHONY: help demo setup bench bench-guard bench-full soak check test test-deploy test-all test-core openapi lock audit bootstrap deploy release rollback destroy manage package zappa-settings clean

ENVIRONMENT ?= production

help:  ## this list
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / {printf "make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# TODAY=2026-01-31 begins a new data folder on that day.
demo: $(VENV)/local.stamp  ## the whole platform on this machine, billed and served (PORT, TODAY, DEMO_SERVE=0)
	@exec $(RUN) manage.py demo --port $(PORT) $(if $(TODAY),--today '$(TODAY)')

setup: $(VENV)/dev.stamp  ## .venv with everything that the tests need

# Everything but the tests of the package and the deployment, which take minutes and need more tools.
test: check  ## every check, and every test but those of the deployment
	$(RUN) -m pytest -q -n 2 --cov --ignore=tests/deploy

# The real package under AWS's runtime client, the real Zappa and Terraform on a local AWS.
test-deploy: $(VENV)/dev.stamp  ## the tests of the package and the deployment, which take minutes
	$(RUN) -m pytest -q tests/deploy

# Both in one run; what needs the package stays in one process, which makes it once.
test-all: check  ## every check and every test, in one run
	$(RUN) -m pytest -q -n 2 --dist loadgroup --cov

# The product's own tests, which CI runs on a second Python too: make test-core PYTHON=python3.13 VENV=build/venv-3.13
test-core: $(VENV)/dev.stamp  ## the product's own tests, without the checks and the long ones
	$(RUN) -m pytest -q -n 2 tests/unit tests/functional tests/conformance tests/integration

# The Lambda zip, by Zappa. ENVIRONMENT=staging for another; EXTRAS="stripe pdf" puts stripe.txt and pdf.txt in.
# RUNTIME=python3.12 and ARCHITECTURE=arm64 change what zappa_settings.json says that the functions run on.
package: export EXTRAS := $(EXTRAS)
package: $(VENV)/dev.stamp  ## the Lambda zip (ENVIRONMENT, EXTRAS, RUNTIME, ARCHITECTURE)
	@$(RUN) -m deploy package --environment $(ENVIRONMENT) \
		$(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(ARCHITECTURE),--architecture $(ARCHITECTURE))

# What a command prints comes in the function's answer and in no log: a key and a password too.
manage: export COMMAND := $(COMMAND)
manage: $(VENV)/dev.stamp  ## a manage.py command, on the function whose duty it is (ENVIRONMENT, COMMAND)
	@$(RUN) -m deploy manage --environment $(ENVIRONMENT) "$$COMMAND"

# Fills zappa_settings.json from Terraform's outputs, or from a file (OUTPUTS=outputs.json), into a file in build/.
zappa-settings: $(VENV)/dev.stamp  ## Zappa's settings, filled from Terraform's outputs (ENVIRONMENT, OUTPUTS)
	@$(RUN) -m deploy zappa-settings --environment $(ENVIRONMENT) $(if $(OUTPUTS),--outputs $(OUTPUTS))

# Each is safe to repeat, and goes on where it was cut off. YES=1 answers the question before Terraform's plan is applied.
bootstrap: $(VENV)/dev.stamp  ## the bucket of Terraform's state, in the account of terraform/ENVIRONMENT.tfvars
	@$(RUN) -m deploy bootstrap --environment $(ENVIRONMENT)

deploy: $(VENV)/dev.stamp  ## an environment, from its package to its first reconciliation (ENVIRONMENT, YES)
	@$(RUN) -m deploy deploy --environment $(ENVIRONMENT) $(if $(YES),--yes)

release: $(VENV)/dev.stamp  ## this clone's version to an environment that is deployed (ENVIRONMENT, YES)
	@$(RUN) -m deploy release --environment $(ENVIRONMENT) $(if $(YES),--yes)

rollback: $(VENV)/dev.stamp  ## the release before, or the kept one that TO names (ENVIRONMENT, TO, YES)
	@$(RUN) -m deploy rollback --environment $(ENVIRONMENT) $(if $(TO),--to $(TO)) $(if $(YES),--yes)

destroy: $(VENV)/dev.stamp  ## takes an environment down, once its name is typed (ENVIRONMENT, CONFIRM)
	@$(RUN) -m deploy destroy --environment $(ENVIRONMENT) $(if $(CONFIRM),--confirm $(CONFIRM))

bench: $(VENV)/dev.stamp  ## what the code costs, as ratios within one run (build/bench.json); eleven minutes
	$(RUN) -m benchmarks

bench-guard: $(VENV)/dev.stamp  ## what tells most of it in a minute, with a margin for other work on the machine
	$(RUN) -m benchmarks --guard worker batches

bench-full: $(VENV)/dev.stamp  ## up to a million accounts and ten million ledger entries; two hours
	$(RUN) -m benchmarks --full

# The long form of tests/soak, and of what is played and raced of changes of terms: twenty minutes and more. SOAK_SEED
# and RACE_SEED repeat a run's choices.
soak: export SOAK_ACCOUNTS ?= 5000
soak: export SOAK_KILLS ?= 50
soak: export TERM_HISTORIES ?= 2000
soak: export TERM_RACES ?= 200
soak: export MOVEMENTS_EXAMPLES ?= 300
soak: export ANY_ORDER_EXAMPLES ?= 300
soak: $(VENV)/dev.stamp  ## half a year of trouble, and changes of terms that race, twenty minutes (SOAK_SEED)
	$(RUN) -m pytest -q -s tests/soak tests/functional/test_changes_of_terms.py \
		tests/functional/test_movements_in_any_order.py tests/functional/test_platform_in_any_order.py \
		tests/concurrency/test_terms_race_in_processes.py

# Everything but the tests themselves. The database that some of these look at is the tests' own.
check: export BILLING_DATA := .local-test
check: $(VENV)/dev.stamp  ## lint, types, imports, migrations, settings and OpenAPI, without the tests
	$(RUN) -m ruff check --quiet .
	$(RUN) -m ruff format --quiet --check .
	DATABASE_URL=postgres:///none SECRET_KEY=checks $(RUN) -m mypy .
	$(RUN) -c 'from importlinter.cli import lint_imports_command as lint; lint()'
	$(RUN) manage.py makemigrations --check --dry-run
	$(RUN) manage.py check
	$(RUN) manage.py spectacular --validate --fail-on-warn --file /dev/null

# The API's description for machines, which is committed.
openapi: $(VENV)/dev.stamp  ## openapi.json, the API's description for machines
	DATABASE_URL=postgres:///none SECRET_KEY=checks $(RUN) manage.py spectacular --format openapi-json --file openapi.json

# One lock for every Python from 3.11 on. The larger set comes first and holds the smaller ones to its versions, so that
# one .venv serves them all. Extras are kept: pip before 23.3 doesn't hold `coverage[toml]` to a pin of `coverage`, and
# fails once there is a newer release.
lock: $(VENV)/dev.stamp  ## the newest releases of all requirements, pinned with hashes
	$(call compile,dev)
	$(call compile,local,--constraints requirements/dev.txt)
	$(call compile,runtime,--constraints requirements/dev.txt)
	$(call compile,stripe,--constraints requirements/dev.txt)
	$(call compile,pdf,--constraints requirements/dev.txt)
	$(call compile,hordak)
	$(call compile,plots)
	$(call compile,bare,--constraints requirements/dev.txt)

# CI sets MAY_SKIP: where the advisory database doesn't answer, it says so and passes.
audit: $(VENV)/dev.stamp  ## known vulnerabilities of what is shipped; needs the network
	@$(RUN) requirements/audit.py $(if $(MAY_SKIP),--may-skip)

# .local stays: it holds data. Remove it by hand to start anew.
clean:  ## removes what was built, and .venv; data in .local stays
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
