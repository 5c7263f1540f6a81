# make lab      set up, prepare the corpus, open the first lesson: `tagkit lab`
#               (on a server: make lab LAB="--no-browser --ip=0.0.0.0")
# make course   set up, run all lessons, write them as HTML to build/course
# make site     set up, build the lessons as a web site: build/site/_build/html
# make test     set up, run all tests and all notebooks
# make check    lint and format
# make mutants  plant classic bugs in lessons: each must turn a cell red
# make bench    what things cost on this machine: benchmarks/results.md
# make bench-growth  how time and memory grow with the corpus: benchmarks/growth.md
# make label-efficiency  what few labels buy, data/results/label_efficiency.jsonl
# make handout  a zip of what is committed, for learners: build/handout.zip
PYTHON ?= python3
LAB ?=
MTT ?=
BIN := .venv/bin
RUN := TAGKIT_STATIC=1 $(BIN)/jupyter nbconvert --execute \
	--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.timeout=600 \
	--ExecutePreprocessor.store_widget_state=False \
	--CoalesceStreamsPreprocessor.enabled=True
LESSONS := $(sort $(wildcard course/*.ipynb))

.PHONY: lab course site test check mutants bench bench-growth handout setup prepared notebooks recorded-runs label-efficiency clean

lab: prepared
	$(BIN)/tagkit lab -- $(LAB)

course: prepared
	$(RUN) --to html --output-dir build/course --template tagkit \
		--HTMLExporter.embed_images=True \
		--TemplateExporter.extra_template_basedirs=.jupyter $(LESSONS)

site: setup
	$(BIN)/pip install --quiet --disable-pip-version-check \
		-c constraints.txt -e '.[site]'
	$(BIN)/python .jupyter/site/build.py

test: setup
	$(BIN)/python -m pytest --nbval

mutants: prepared
	$(BIN)/python tests/mutants.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Without what gives answers away. The rest of tests/ is a setting of `pytest --nbval`.
handout:
	@mkdir -p build
	git archive --format=zip --prefix=tagging/ -o build/handout.zip HEAD -- . \
		':(exclude)solutions' ':(exclude,glob)tests/*.py' ':(exclude).ci' \
		':(exclude).github' ':(exclude)exercises/TEACHING.md'

# Beside what others use: litdata and musicnn, each in a place of its own.
bench: prepared build/peers/done build/musicnn/done
	$(BIN)/python benchmarks/all.py $(MTT)

bench-growth: prepared
	$(BIN)/python benchmarks/growth.py

build/peers/done: benchmarks/peers.txt .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target build/peers -r benchmarks/peers.txt
	@touch $@

# TensorFlow is not to be had everywhere; benchmarks/tagging.py can do without.
build/musicnn/done: .venv/installed
	$(BIN)/python -m venv build/musicnn
	-build/musicnn/bin/pip install --quiet --disable-pip-version-check \
		tensorflow-cpu tf_keras librosa
	-build/musicnn/bin/pip install --quiet --disable-pip-version-check \
		--no-deps musicnn==0.1.0
	@touch $@

setup: .venv/installed

prepared: setup
	$(BIN)/tagkit prepare mini --sample-rate 12000

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check \
		-c constraints.txt -e '.[course,test]'
	@touch $@

# For those who change lessons: run them in place and keep the outputs.
notebooks: prepared
	$(RUN) --to notebook --inplace $(LESSONS)
	$(BIN)/python solutions/make_exercises.py --run

# The runs in data/results and the checkpoints: three seeds of every model, as many at a
# time as there are cores. A run that is there is not repeated, one that was stopped goes
# on. Then the tables of the data card.
recorded-runs: prepared
	$(BIN)/python data/record_runs.py
	$(BIN)/python data/build_mini/build_mini.py --card

# A point that is there is not computed again.
label-efficiency: prepared
	$(BIN)/python data/label_efficiency.py

clean:
	rm -rf build data/cache
