# make lab      set up, prepare the corpus, open the first lesson
#               (on a server: make lab LAB="--no-browser --ip=0.0.0.0")
# make course   set up, run all lessons, write them as HTML to build/course
# make test     set up, run all tests and all notebooks
# make check    lint and format
PYTHON ?= python3
LAB ?=
BIN := .venv/bin
RUN := TAGKIT_STATIC=1 $(BIN)/jupyter nbconvert --execute \
	--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.timeout=600 \
	--CoalesceStreamsPreprocessor.enabled=True
LESSONS := $(sort $(wildcard course/*.ipynb))

.PHONY: lab course test check setup prepared notebooks recorded-runs clean

lab: prepared
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/course/00_start_here.ipynb $(LAB)

course: prepared
	$(RUN) --to html --output-dir build/course --template tagkit \
		--TemplateExporter.extra_template_basedirs=.jupyter $(LESSONS)

test: setup
	$(BIN)/python -m pytest --nbval

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

setup: .venv/installed

prepared: setup
	$(BIN)/tagkit prepare mini --sample-rate 12000

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check \
		-c constraints.txt -e '.[course,test]'
	@mkdir -p .venv/share/jupyter/lab/settings
	@cp .jupyter/overrides.json .venv/share/jupyter/lab/settings/
	@$(BIN)/jupyter labextension disable @jupyter/nbgrader 2> /dev/null
	@touch $@

# For those who change lessons: run them in place and keep the outputs.
notebooks: prepared
	$(RUN) --to notebook --inplace $(LESSONS)
	$(BIN)/python solutions/make_exercises.py --run

# The runs in data/results: three seeds each; a run that is there is not repeated.
# (0.24 of K2C2's width leaves 16 channels in its first unit, 0.25 would leave 17,
# which takes nearly twice the time on a CPU: benchmarks/steps.py.)
recorded-runs: prepared
	set -e; for seed in 0 1 2; do \
	$(BIN)/tagkit train mini DielemanRaw seed=$$seed epochs=12 crops_per_clip=10 \
		--record data/results/DielemanRaw-$$seed.json; \
	$(BIN)/tagkit train mini DielemanMel seed=$$seed epochs=12 crops_per_clip=10 \
		--record data/results/DielemanMel-$$seed.json; \
	$(BIN)/tagkit train mini K2C2 width=0.24 seed=$$seed epochs=12 \
		learning_rate=0.003 --record data/results/K2C2-$$seed.json; \
	done

clean:
	rm -rf build data/cache
