# repo.mk - from a repository to a scored adapter, redoing only what changed.
#
#     make -f pipelines/repo.mk REPO=~/src/project WORK=work \
#          BASE=~/models/starcoder2-3b
#
# BASE may be a GGUF file, too, whose tokenizer is taken; its weights are stored
# anew as FORMAT. Without BASE a small vocabulary and a small llama-shaped base
# are trained on the C headers of this machine first, so that everything can be
# tried with nothing at hand.
#
# It may be stopped at any time, by any signal: the same command goes on where
# it was, and training at its last checkpoint. A directory WORK has one such
# command at a time.
#
# Here is what can be chosen; `start` checks it, and repo-steps.mk is the work.

SHELL := bash
.SUFFIXES:

WORK ?= work
THREADS ?= 0

# What decides the result. Override any of them on the command line. SCRAPE,
# SCRUB, DEDUP, SPLIT, LORA and SCORE are options of gitscrape, scrub, dedup,
# shard, train and evalprompts, as they have them: SCRAPE='--trust --since
# 2020-01-01'. Without scrub or dedup: SCRUB=none, DEDUP=none. TEMPLATE is tokenize's: the layout of a
# record, by its name or as a file. LOSS is train's: what is learned of it, all
# or its target alone; auto is what the layout says, which for commits is what
# taught more where it was measured (graft-concepts(7)). The table at the end
# tells both apart.
# SCRAPE='--kind file' TEMPLATE=fim fills holes in the files as they are now.
SCRAPE ?=
SCRUB ?=
DEDUP ?=
TEMPLATE ?= commit
LOSS ?= auto
SEQ_LEN ?= 512
SPLIT ?= --val 0.05 --test 0.1
SCORE ?=
FORMAT ?= int8
# CONFIG is a run file of train's, such as those in configs, which LORA wins
# over; its seq-len, loss and threads are SEQ_LEN, LOSS and THREADS, unless
# these are given. With --extend in LORA a run that is there goes on to more
# --steps.
ifdef CONFIG
LORA ?=
else ifdef BASE
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
PATHS := REPO WORK BASE CONFIG HEADERS ARCH BIN
OTHERS := THREADS SCRAPE SCRUB DEDUP TEMPLATE LOSS SEQ_LEN FORMAT LORA SPLIT \
	SCORE HEADER_FILES VOCAB PRETRAIN
# What stands on the command line.
export GIVEN := $(foreach n,$(PATHS) $(OTHERS),$(if \
	$(findstring command,$(origin $n)),$n))
as_is = $(if $(filter undefined,$(origin $1)),,\
	$(eval override $1 := $$(value $1))$(eval export $1))
$(foreach p,$(PATHS),$(call as_is,$p))
export $(OTHERS)
# The path of this file is the last of those: it may have blanks.
export THIS := $(MAKEFILE_LIST)
export MAKER := $(MAKE_COMMAND)

.PHONY: all
all:
	@THIS=$${THIS# }; \
	while [[ ! -f $$THIS && $$THIS == *' '* ]]; do THIS=$${THIS#* }; done; \
	exec "$$(dirname -- "$$THIS")/start"
