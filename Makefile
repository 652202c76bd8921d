# make demo    the whole experiment on the embedded corpus, from nothing to a table; SEEDS=1,2,3 trains more than one
# make publish five seeds of the demo and a record of them in results/published (maintainers; an hour and a half)
# make test    linters, types and tests
# make smoke   the same pipeline in a minute or three, in a copy under build/ (your params.yaml and results stay)
# make matrix  every model with every identity and start on the embedded corpus (an hour at most): results/matrix/
# make sweep NAME=amount   one thing varied, e.g. the amount of pre-training audio: sweeps/, results/sweeps/
# make paper   the paper's corpora and sizes; corpora under $V2S_DATA (default data/)
# make env     only the environment: .venv with the locked packages and this project
# make lint    ruff and mypy;  make lock   resolve requirements.lock anew;  make readme   write the tables of README.md and models/README.md

.DELETE_ON_ERROR:
.PHONY: demo env lint lock matrix paper publish readme smoke sweep test

PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/installed

export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A sum's order depends on the number of threads: the profile's `threads` rules, not the caller's shell.
unexport OMP_NUM_THREADS

env: $(STAMP)

$(STAMP): requirements.lock requirements-nodeps.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo 'v2sbench: needs Python 3.11, and "$(PYTHON)" is not one; install it (Debian: python3.11 python3.11-venv' \
	    'python3.11-dev gcc) or run: make env PYTHON=/path/to/python3.11' >&2; exit 2; }
	@$(PYTHON) -m venv .venv || { \
	  echo 'v2sbench: cannot make .venv; on Debian: apt-get install python3.11-venv' >&2; exit 2; }
	@echo "v2sbench: installing the locked packages into .venv (about 5 GB; minutes the first time)"
	@$(BIN)/python -m pip install --quiet --quiet --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --quiet --no-deps --requirement requirements-nodeps.lock
	@$(BIN)/python -m pip install --quiet --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo paper: env
	@cmp -s profiles/$@.yaml params.yaml || { cp profiles/$@.yaml params.yaml; echo "v2sbench: params.yaml is now profile $@"; }
	@$(if $(SEEDS),sed -i 's/^seeds: \[[^]]*\]/seeds: [$(SEEDS)]/' params.yaml;) \
	  start=$$(date +%s); dvc repro && v2sbench table --show && \
	  echo "v2sbench: dvc repro took $$(( $$(date +%s) - start )) s; dvc repro again does only what has changed" && \
	  echo "v2sbench: open in a browser, to see and hear it: $$(echo results/reports/*.html)" && \
	  if [ -f results/published/baseline/$@-seen.csv ]; then v2sbench gate $@-seen --tell; fi

# Every training is a run of the same pipeline, so a second call goes on. WHY says what changed.
publish: env
	@$(MAKE) --no-print-directory demo SEEDS=1,2,3,4,5
	@v2sbench accept demo-seen --publish --why "$(WHY)" && cp profiles/demo.yaml params.yaml && $(MAKE) --no-print-directory readme

# A copy of the working tree as git sees it, with the smoke profile and a DVC of its own.
smoke: env
	@rm -rf build/smoke && mkdir -p build/smoke
	@git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t build/smoke
	@cd build/smoke && cp profiles/smoke.yaml params.yaml && rm -f dvc.lock && dvc config --local core.no_scm true && \
	  export PYTHONPATH="$$PWD" && start=$$(date +%s) && dvc repro && middle=$$(date +%s) && v2sbench table --show && \
	  dvc status && echo "v2sbench: smoke took $$(( middle - start )) s in build/smoke"

# Both families, both identities, three starts: again in a copy, so that the demo's tables stay. A second call goes on.
matrix: env
	@mkdir -p build/matrix results/matrix
	@git ls-files -z --cached --others --exclude-standard | grep -zvx dvc.lock | \
	  xargs -0 cp --parents -t build/matrix
	@cd build/matrix && cp profiles/matrix.yaml params.yaml && \
	  dvc config --local core.no_scm true && export PYTHONPATH="$$PWD" && start=$$(date +%s) && dvc repro && \
	  v2sbench table --show && cp results/tables/demo-seen.* ../../results/matrix/ && \
	  echo "v2sbench: the matrix took $$(( $$(date +%s) - start )) s; its tables are in results/matrix"

# Points run in copies under build/sweeps; a second call does only what is missing.
sweep: env
	@v2sbench sweep $(NAME)

readme: env
	@python docs/models.py && python docs/readme.py

lint: env
	@ruff check . && ruff format --check . && mypy

# One process a core. A module's tests share what they prepared, so they stay in one process.
test: lint
	@pytest -n auto --dist loadfile $(PYTEST)

lock:
	@rm -rf build/lock && $(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --quiet '.[cluster,demo,dev,pipeline,train,vocoders,whisper]' onnxruntime 'setuptools<82'
	@{ sed -n '/^#/p' requirements.lock; build/lock/bin/python -m pip list --format=freeze --exclude v2sbench \
	  --exclude pip | LC_ALL=C sort -f; } > build/requirements.lock && mv build/requirements.lock requirements.lock
