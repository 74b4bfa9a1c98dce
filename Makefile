# One command for each thing that people do here. Each does its own set-up: Python 3.11 or newer and make are enough.
#   make demo DEMO_ARGS=--once          make test PYTEST_ARGS='tests/schemas -x'
#   make kafka KAFKA_ARGS='--port 9093'     make postgres POSTGRES_ARGS='--port 5433'

.DEFAULT_GOAL := help
.PHONY: help demo test test-images test-packages check kafka postgres faults-long faults-proofs bench bench-store
.PHONY: bench-peers bench-detection bench-families bench-exposition bench-alerts bench-gateway
.PHONY: schemas docs dashboards pictures lock clean venv parts

PYTHON := .venv/bin/python
# Before there is an environment; plain `=`, so that make looks for it only where it is used.
ANY_PYTHON = $$(sh deploy/local/python)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target what; do printf '%-23s %s\n' "$$target" "$$what"; done

demo: venv ## the whole pipeline with a simulated practice, on this machine; Ctrl-C ends it
	.venv/bin/alliance demo $(DEMO_ARGS)

test: venv parts ## every test, against real servers that it fetches and starts itself
	$(PYTHON) -m pytest $(PYTEST_ARGS)

faults-long: venv parts ## the fault tests in their long size, a million events (docs/faults.md); hours
	FAULTS=long $(PYTHON) -m pytest tests/faults tests/consumers/store/test_store_laws.py \
	    tests/observability/test_flags_reach_people.py $(PYTEST_ARGS)

faults-proofs: venv parts ## removes one safeguard at a time and sees its test fail; PROOFS='changelog rows-with-position'
	$(PYTHON) -m tests.faults.proofs $(PROOFS)

# Minutes; docs/images-test.md. FULL=1 runs every test in the bare container too.
test-images: venv parts ## as root on Debian: image, docker-compose.yml and the README's commands, in a Docker engine of its own
	$(PYTHON) -m tests.images.machine
	$(PYTHON) -m pytest tests/images -s $(IMAGES_ARGS)

# Minutes: it downloads about 300 MB of packages.
test-packages: venv ## installs the wheel and the source distribution into empty environments and runs the demo there
	$(PYTHON) -m pytest tests/packages

check: venv ## style, types and the direction of imports
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

kafka: ## a real Kafka on 127.0.0.1:9092 until Ctrl-C, its data in .parts/kafka-data
	@python="$(ANY_PYTHON)" && exec "$$python" -m deploy.local.kafka $(KAFKA_ARGS)

postgres: ## a real PostgreSQL on 127.0.0.1:5432 until Ctrl-C, its data in .parts/postgres-data
	@python="$(ANY_PYTHON)" && exec "$$python" -m deploy.local.postgres $(POSTGRES_ARGS)

bench: venv parts ## how many events a second the whole pipeline processes on this machine
	$(PYTHON) -m benchmarks.spine $(BENCH_ARGS)

bench-store: venv parts ## how fast a backlog is written to SQLite and PostgreSQL, and where the time goes
	$(PYTHON) -m benchmarks.store $(BENCH_ARGS)

bench-peers: venv parts ## the worker beside librdkafka, Quix Streams, Bytewax and per-event Faust; BENCH_ARGS=--quick for a minute
	$(PYTHON) -m benchmarks.peers $(BENCH_ARGS)

bench-detection: venv ## ruptures caught at equal false alarms, beside the field's rules; BENCH_ARGS=--quick for one minute
	$(PYTHON) -m benchmarks.detection $(BENCH_ARGS)

bench-families: venv ## the rules in practices that they were not tuned to, calibrated first; BENCH_ARGS=--quick for a minute
	$(PYTHON) -m benchmarks.families $(BENCH_ARGS)

bench-exposition: venv ## how long a page of /metrics takes for 1,000 to 30,000 therapists, beside the library's way
	$(PYTHON) -m benchmarks.exposition $(BENCH_ARGS)

bench-alerts: venv parts ## from a flag on the topic to the webhook's body, through a real Alertmanager
	$(PYTHON) -m benchmarks.alerts $(BENCH_ARGS)

bench-gateway: venv parts ## how many events a second the gateway and `alliance send` accept
	$(PYTHON) -m benchmarks.gateway_and_send

schemas: venv ## writes the JSON Schema files and the tables of docs/integrators.md, from schemas/*.py
	$(PYTHON) -m schemas.publish

docs: ## the documentation as a static site in site/, with search; a broken link fails
	@python="$(ANY_PYTHON)" && "$$python" -m deploy.site.build

dashboards: venv ## writes Grafana's dashboards, from deploy/grafana/dashboards/*.py
	$(PYTHON) -m deploy.grafana.dashboards.write

pictures: venv ## draws docs/images: the dashboards without Grafana, from a simulated practice in a real Prometheus
	$(PYTHON) -m deploy.grafana.pictures

# An existing lock keeps its versions; LOCK_ARGS=--upgrade takes the newest ones.
lock: ## writes requirements.lock from pyproject.toml: exact versions, their hashes, no addresses
	@python="$(ANY_PYTHON)" && "$$python" -m venv .parts/uv
	.parts/uv/bin/python -m pip install -q uv
	printf 'hatchling\neditables\n' | .parts/uv/bin/uv pip compile -q --universal --python-version 3.11 \
	    --extra dev --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	    -o requirements.lock $(LOCK_ARGS) pyproject.toml -
	.parts/uv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --no-emit-find-links -o deploy/site/requirements.lock $(LOCK_ARGS) deploy/site/requirements.in
	! grep -n '://' requirements.lock deploy/site/requirements.lock

clean: ## removes what was fetched and made: .venv, .parts, caches
	rm -rf .venv .parts site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: ## the environment .venv with every locked package
	@python="$(ANY_PYTHON)" && "$$python" -m deploy.local.venv

parts:
	@python="$(ANY_PYTHON)" && "$$python" -m deploy.local.parts
