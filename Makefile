# GestureHand: `make demo` pretrains, finetunes and tests on the open hand; `make test` runs the tests. Both install first.
#
#   EXPERIMENT=demo|paper   which files of experiments/ (default: demo)
#   DATA=FOLDER             InterHand2.6M, or another set in its files
#   MANO=FOLDER             MANO's files, instead of the open hand
#   PRETRAINED=auto|none|FILE   what `make finetune` starts from
#   RUN=latest|FOLDER       what `make evaluate` tests
#   SWEEP=FILE              which sweep `make sweep` runs
#   PHOTOS=FOLDER           photos and their labels.json, and more/labels.json (make photo)
#   SIZE=quick|default      how large `make ablation` is
#   ARGS='…'                further arguments of the command

PYTHON ?= python3
VENV ?= .venv
EXPERIMENT ?= demo
PRETRAINED ?= auto
RUN ?= latest
SWEEP ?= experiments/sweeps/demo_finetune.yaml
SIZE ?= quick
PHOTOS ?= data/real_hands
OPENHAND := data/openhand
BENCHMARK := data/openhand-v1
PHOTO_SET := data/openphoto-v1
PHOTO_RUNS := runs/photo
DEMO_SET := --config experiments/sets/demo.yaml

BIN := $(VENV)/bin
GESTUREHAND := $(BIN)/gesturehand
LOWEST := .venv-lowest
CORE_TESTS := tests/hand tests/models tests/data tests/metrics tests/checkpoints tests/test_camera.py tests/test_gestures.py \
	tests/test_fewer_operations.py tests/test_losses.py tests/test_targets.py tests/test_runs.py tests/test_skeleton.py
READY := $(VENV)/.ready
# One process per core, each with one thread: two threads of two processes would wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto
COMMA := ,
# A demo with other ARGS has separate steps.
DEMO_STEPS := runs/demo/.steps-$(shell printf '%s' "$(ARGS)" | cksum | cut -d ' ' -f 1)
# $(call timed,what it is,command) says what begins, runs it, and says how long it took.
define timed
@echo "== $(1)"; echo "$(2)"; begin=$$(date +%s); $(2) && echo "== $(1): $$(( $$(date +%s) - begin )) s"
endef
# The same, and notes that the step is done.
define step
$(call timed,$(1),$(2))
@mkdir -p $(@D) && touch $@
endef
# A comma within the argument of a call would end it.
EXTRAS := dev,docs,notebooks,sweeps,tensorboard
DATA_ARGS := $(if $(DATA),--data.root=$(DATA))
MANO_ARGS := $(if $(MANO),--model.init_args.mano=$(MANO))

.PHONY: help setup demo data pretrain finetune evaluate sweep ablation photo photo-ablation gallery openhand-v1 openhand-docs openphoto-docs docs site notebooks figures release bench faults fuzz variants test test-all test-lowest lint format clean

help:  ## show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@sed -n '3,11s/^# \{0,1\}//p' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv with the tested versions

$(READY): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(call timed,installation$(COMMA) about 8 GB on the disk,$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]')
	@touch $@

demo: $(DEMO_STEPS)/tested  ## pretrain, finetune and test on the open set; continues where it was interrupted
	@rm -r $(DEMO_STEPS)
	@printf '%s\n' '' \
		"The table is in runs/demo/summary.json, pictures of the predictions in runs/demo/predictions.png. What to do next:" \
		"  $(GESTUREHAND) predict photo.jpg --output out                 your photo, with the weights for photographs" \
		"  make finetune PRETRAINED=none ARGS='--trainer.max_epochs=10'  the same number of steps without gesture pretraining" \
		"  $(GESTUREHAND) data import --images photos/ --joints joints.json --out data/mine    your own images (docs/own_data.md)" \
		"  $(GESTUREHAND) fit --help                                     every setting of a training"

# Finished steps of a demo that is not finished as a whole: an interrupted demo continues after them.
$(DEMO_STEPS)/pretrained: | $(READY) $(OPENHAND)
	$(call step,stage 1 of 2$(COMMA) gesture pretraining,$(GESTUREHAND) fit --config experiments/demo/pretrain.yaml $(ARGS))

$(DEMO_STEPS)/finetuned: $(DEMO_STEPS)/pretrained
	$(call step,stage 2 of 2$(COMMA) token fusion,$(GESTUREHAND) fit --config experiments/demo/finetune.yaml $(ARGS))

$(DEMO_STEPS)/tested: $(DEMO_STEPS)/finetuned
	$(call step,test on people who were not trained on,$(GESTUREHAND) test --run latest && $(GESTUREHAND) run summary --run latest --out runs/demo)

data: $(OPENHAND)  ## write the open synthetic set to data/openhand

$(OPENHAND): | $(READY)
	$(call timed,the open set,$(GESTUREHAND) data synth --out $@ $(DEMO_SET))

pretrain: $(READY)  ## stage 1: learn the gesture embedding
	$(GESTUREHAND) fit --config experiments/$(EXPERIMENT)/pretrain.yaml $(DATA_ARGS) $(ARGS)

finetune: $(READY)  ## stage 2: token fusion, from the newest finished stage 1 of the same encoder
	$(GESTUREHAND) fit --config experiments/$(EXPERIMENT)/finetune.yaml --model.init_args.pretrained=$(PRETRAINED) $(DATA_ARGS) $(MANO_ARGS) $(ARGS)

evaluate: $(READY)  ## test a finished stage 2 and compare it with the baselines
	$(GESTUREHAND) test --run $(RUN) $(DATA_ARGS) $(MANO_ARGS) $(ARGS)
	$(GESTUREHAND) run summary --run $(RUN)

sweep: $(READY) $(if $(findstring /demo,$(SWEEP)),$(OPENHAND))  ## search settings, with W&B if you are logged in, otherwise on this machine
	$(GESTUREHAND) sweep --file $(SWEEP) $(ARGS)

ablation: $(READY)  ## run the paper's comparison (SIZE=quick for two CPU cores, default for one GPU); resumable
	$(GESTUREHAND) ablation --size $(SIZE) --out runs/ablation-$(SIZE) $(if $(DATA),--data $(DATA)) $(if $(MANO),--mano $(MANO)) $(ARGS)

photo-ablation: $(READY)  ## measure what gesture labels of photographs add (PHOTOS=FOLDER); resumable, hours
	$(BIN)/python scripts/photo_ablation.py $(PHOTOS) $(ARGS)

photo: $(PHOTO_RUNS)/weights/openphoto.safetensors  ## make weights for photographs: write, import, train, pack (docs/photos.md); resumable

$(PHOTO_SET): | $(READY)
	$(GESTUREHAND) data synth_photo --out $@ $(PHOTO_SET_ARGS)

data/photos: | $(READY)
	$(GESTUREHAND) data import --images $(PHOTOS) --joints $(PHOTOS)/labels.json --folders_are_sets=true --out $@

data/photos_more: | $(READY)
	$(GESTUREHAND) data import --images $(PHOTOS)/more --joints $(PHOTOS)/more/labels.json \
		--label_map experiments/photo/label_map.json --out $@

$(PHOTO_RUNS)/finetuned: | $(READY) $(PHOTO_SET) data/photos data/photos_more
	$(GESTUREHAND) fit --config experiments/photo/finetune.yaml $(ARGS)
	@touch $@

$(PHOTO_RUNS)/weights/openphoto.safetensors: $(PHOTO_RUNS)/finetuned
	@run="$$($(GESTUREHAND) run latest --runs $(PHOTO_RUNS))" || { echo "Remove $< to train again." >&2; exit 1; }; \
	echo "pack $$run"; $(BIN)/python scripts/build_openphoto.py "$$run" --out $(@D)/unfinished \
		--data "openphoto-v1 and photos with 2D pseudo-labels (experiments/photo/finetune.yaml)"
	$(BIN)/python scripts/joint_offsets.py $(PHOTOS) --weights $(@D)/unfinished/openphoto.safetensors
	@mv $(@D)/unfinished/openphoto.json $(@D)/ && mv $(@D)/unfinished/openphoto.safetensors $@ && rmdir $(@D)/unfinished

gallery: $(READY)  ## draw the poses of the 35 gestures into runs/gallery.png
	@mkdir -p runs
	$(GESTUREHAND) data gallery --out runs/gallery.png $(ARGS)

docs: $(READY)  ## write the table and pictures of docs/five_minutes.md from the newest demo, and the gallery
	@mkdir -p docs/images docs/results
	$(GESTUREHAND) run summary --run latest --out docs/results
	$(BIN)/python -c "import cv2; cv2.imwrite('docs/images/demo_predictions.jpg', cv2.imread('docs/results/predictions.png'), [cv2.IMWRITE_JPEG_QUALITY, 80])"
	rm -f docs/results/*.png
	mv docs/results/summary.json docs/results/demo.json
	$(BIN)/python scripts/document_tables.py summary docs/results/demo.json docs/five_minutes.md
	$(GESTUREHAND) data gallery --out docs/images/gallery.jpg

openhand-v1: $(BENCHMARK)  ## write the benchmark to data/openhand-v1

$(BENCHMARK): | $(READY)
	$(GESTUREHAND) data synth --out $@

openhand-docs: $(BENCHMARK)  ## write the tables and pictures of docs/openhand.md
	$(GESTUREHAND) data gallery --out docs/images/gallery.jpg
	$(GESTUREHAND) data synth --out data/openhand-sheet --subjects "[8,1,1]" --frames "[48,8,8]" --overwrite=true
	$(GESTUREHAND) data samples --root data/openhand-sheet --gamma 1.8 --count 12 --columns 6 --height_px 230 --out docs/images/openhand_samples.jpg
	$(GESTUREHAND) data stats --root $(BENCHMARK) --out docs/results/openhand.json $(ARGS)
	$(BIN)/python scripts/document_tables.py statistics docs/results/openhand.json docs/openhand.md

openphoto-docs: $(READY)  ## write the sheet and the figures of docs/openphoto_set.md
	$(GESTUREHAND) data synth_photo --out data/openphoto-sheet --subjects "[48,0,0]" --frames "[480,0,0]" --overwrite=true
	$(GESTUREHAND) data samples --root data/openphoto-sheet --count 32 --columns 8 --height_px 150 --out docs/images/openphoto_samples.jpg
	$(BIN)/python benchmarks/photo_set.py --frames 1000 --out docs/results/photo_set.json --into docs/openphoto_set.md

bench: $(READY)  ## measure every figure of docs/performance.md: five minutes, 10 GB of memory
	$(BIN)/python benchmarks/bench.py $(ARGS)

faults: $(READY)  ## kill training runs 26 times and compare with uninterrupted ones; minutes
	$(BIN)/python scripts/faults.py --out docs/results/faults.json $(ARGS)
	$(BIN)/python scripts/robustness_tables.py

fuzz: $(READY)  ## try 1,000 mutated files of every kind; minutes
	FUZZ_EXAMPLES=1000 FUZZ_OUT=docs/results/fuzz.json $(BIN)/python -m pytest tests/fuzz $(ARGS)
	$(BIN)/python scripts/robustness_tables.py

variants: $(READY)  ## try every variant of what people's files break; minutes
	$(BIN)/python scripts/fault_variants.py $(ARGS)

site: $(READY)  ## build the documentation site in build/site; warnings and broken links are errors
	$(BIN)/python -m sphinx -c docs -d build/doctrees -W --keep-going --quiet . build/site
	$(BIN)/python scripts/check_site.py build/site

notebooks: $(READY)  ## run the notebooks on the newest demo and keep their output for the site
	$(BIN)/python scripts/run_notebooks.py

figures: $(READY)  ## draw both stages of the method from the networks
	$(BIN)/python scripts/draw_architecture.py docs/images/architecture.svg docs/images/architecture.png

release: $(READY)  ## build the wheel, check it and try it in a separate environment; .github/workflows/release.yml publishes it
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt twine
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python scripts/try_wheel.py dist/*.whl

test: $(READY)  ## run the tests; minutes
	$(PYTEST) -m "not slow" $(ARGS)

test-all: $(READY)  ## run the tests, including the slow ones
	$(PYTEST) $(ARGS)

test-lowest:  ## run the core tests with the lowest compatible versions in setup.cfg (docs/install.md)
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable '.[dev,notebooks,sweeps,tensorboard]'
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -n auto -m "not slow" $(CORE_TESTS) $(ARGS)

lint: $(READY)  ## run the formatter, linter and type checker
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)  ## format the code and fix what can be fixed automatically
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove caches; runs and data stay
	rm -rf .pytest_cache .ruff_cache .mypy_cache build dist docs/api src/*.egg-info
