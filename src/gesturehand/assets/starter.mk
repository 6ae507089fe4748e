# Written by `gesturehand init`; change it as you like. `make demo` writes the open set, pretrains, finetunes and tests.
#
#   EXPERIMENT=demo|paper   which files of experiments/ (default: demo)
#   DATA=FOLDER             InterHand2.6M, or another set in its files
#   MANO=FOLDER             MANO's files, instead of the open hand
#   PRETRAINED=auto|none|FILE   what `make finetune` starts from
#   RUN=latest|FOLDER       what `make evaluate` tests
#   SWEEP=FILE              which sweep `make sweep` runs
#   ARGS='…'                further arguments of the command

GESTUREHAND ?= gesturehand
EXPERIMENT ?= demo
PRETRAINED ?= auto
RUN ?= latest
SWEEP ?= experiments/sweeps/demo_finetune.yaml
OPENHAND := data/openhand
DATA_ARGS := $(if $(DATA),--data.root=$(DATA))
MANO_ARGS := $(if $(MANO),--model.init_args.mano=$(MANO))

.PHONY: help demo data pretrain finetune evaluate sweep runs

help:  ## show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@sed -n '3,9s/^# \{0,1\}//p' $(MAKEFILE_LIST)

demo: $(OPENHAND)  ## write the open set, pretrain, finetune and test on it; the table ends in runs/demo/summary.json
	$(GESTUREHAND) fit --config experiments/demo/pretrain.yaml $(ARGS)
	$(GESTUREHAND) fit --config experiments/demo/finetune.yaml $(ARGS)
	$(GESTUREHAND) test --run latest
	$(GESTUREHAND) run summary --run latest --out runs/demo

data: $(OPENHAND)  ## write the open synthetic set to data/openhand

$(OPENHAND):
	$(GESTUREHAND) data synth --config experiments/sets/demo.yaml --out $@

pretrain:  ## stage 1: learn the gesture embedding
	$(GESTUREHAND) fit --config experiments/$(EXPERIMENT)/pretrain.yaml $(DATA_ARGS) $(ARGS)

finetune:  ## stage 2: token fusion, from the newest finished stage 1 of the same encoder
	$(GESTUREHAND) fit --config experiments/$(EXPERIMENT)/finetune.yaml --model.init_args.pretrained=$(PRETRAINED) $(DATA_ARGS) $(MANO_ARGS) $(ARGS)

evaluate:  ## test a finished stage 2 and compare it with the baselines
	$(GESTUREHAND) test --run $(RUN) $(DATA_ARGS) $(MANO_ARGS) $(ARGS)
	$(GESTUREHAND) run summary --run $(RUN)

sweep: $(if $(findstring /demo,$(SWEEP)),$(OPENHAND))  ## search settings: with W&B if you are logged in, else on this machine
	$(GESTUREHAND) sweep --file $(SWEEP) $(ARGS)

runs:  ## list the runs; `gesturehand run compare A B` sets two side by side
	$(GESTUREHAND) run list
