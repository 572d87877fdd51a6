# repo.mk - from a repository to a scored adapter, redoing only what changed.
#
#     make -f pipelines/repo.mk REPO=~/src/project WORK=work \
#          BASE=~/models/starcoder2-3b
#
# Without BASE a small vocabulary and a small llama-shaped base are trained on
# the C headers of this machine first, so that everything can be tried with
# nothing at hand.
#
# It may be stopped at any time, by any signal: the same command goes on where
# it was, and training at its last checkpoint. A directory WORK has one such
# command at a time.
#
# Here is what can be chosen; `start` checks it, and steps.mk is the work.

SHELL := bash
.SUFFIXES:

WORK ?= work
THREADS ?= 0

# What decides the result. Override any of them on the command line. SCRAPE,
# SPLIT and LORA are options of gitscrape, shard and train, as they have them:
# SCRAPE='--trust --since 2020-01-01'. TEMPLATE and LOSS are tokenize's: the
# layout of a record, by its name or as a file, and what of it is learned.
# LOSS=all has taught more of commits where it was measured (graft-concepts(7));
# with target, the table at the end tells target and context apart.
# SCRAPE='--kind file' TEMPLATE=fim fills holes in the files as they are now.
SCRAPE ?=
TEMPLATE ?= commit
LOSS ?= target
SEQ_LEN ?= 512
SPLIT ?= --val 0.05 --test 0.1
FORMAT ?= int8
ifdef BASE
LORA ?= --rank 16 --alpha 32 --epochs 1 --log-every 10
else
LORA ?= --rank 16 --alpha 32 --batch 8 --steps 80 --lr 0.002 --log-every 20 \
	--eval-records 200
endif

# And without BASE.
HEADERS ?= /usr/include
HEADER_FILES ?= 1200
VOCAB ?= 4096
PRETRAIN ?= --batch 8 --steps 200 --log-every 50 --lr 0.002 --warmup 20

# Names of files are taken as they are, also with blanks and with $: they
# go through the environment, and make never looks into them.
PATHS := REPO WORK BASE HEADERS ARCH BIN
OTHERS := THREADS SCRAPE TEMPLATE LOSS SEQ_LEN FORMAT LORA SPLIT HEADER_FILES \
	VOCAB PRETRAIN
# What stands on the command line.
export GIVEN := $(foreach n,$(PATHS) $(OTHERS),$(if \
	$(findstring command,$(origin $n)),$n))
as_is = $(if $(filter undefined,$(origin $1)),,\
	$(eval override $1 := $$(value $1))$(eval export $1))
$(foreach p,$(PATHS),$(call as_is,$p))
export $(OTHERS)
# The path of this file is the last of those, or it is all of them: blanks.
export THIS := $(MAKEFILE_LIST)
export MAKER := $(MAKE_COMMAND)

.PHONY: all
all:
	@THIS=$${THIS# }; [ -f "$$THIS" ] || THIS=$${THIS##* }; \
	exec "$$(dirname -- "$$THIS")/start"
