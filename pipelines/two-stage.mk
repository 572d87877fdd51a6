# two-stage.mk - a model from nothing, in two stages: first language, then
# code. Redoes only what changed.
#
#     make -f pipelines/two-stage.mk WORK=work ARCH=dense-tiny \
#          TEXT=~/texts CODE=~/src/project
#
# TEXT and CODE are what it learns: a directory, of which every file below is
# read; a file of JSON lines, NAME.jsonl; or one text, cut into parts. Where CODE is a git
# repository, it is its files and its commits. Nothing else is read: symbolic
# links in a directory are not followed, and a repository is one by its own
# .git alone. graft-scratch(7) tells more.
#
# It may be stopped at any time, by any signal: the same command goes on where
# it was, and training at its last checkpoint. A directory WORK has one such
# command at a time.
#
# Here is what can be chosen; `start-stages` checks it, and stage-steps.mk is
# the work.

SHELL := bash
.SUFFIXES:

WORK ?= work

# The architecture: a file that initmodel reads, or the name of one in
# configs/scratch, FAMILY-SIZE, as dense-tiny.
ARCH ?= dense-nano
# STAGE1 and STAGE2 are run files of train's; without, they are those of the
# same size, configs/scratch/stage1-SIZE.json. TRAIN1 and TRAIN2 are options of
# train that win over them: TRAIN1='--epochs 2 --lr 0.0003'. With --extend a run
# that is there goes on to more steps; another change begins a new one, and
# keeps that as stageN.old.
TRAIN1 ?=
TRAIN2 ?=
# Tokens of the vocabulary; without, as many as the architecture has. It is
# learned of what is trained on, of both stages.
VOCAB ?=
SPECIAL ?= <|endoftext|>,<reponame>,<filename>,<commit_before>,$\
	<commit_msg>,<commit_after>,<fim_prefix>,<fim_middle>,<fim_suffix>,$\
	<fim_pad>

# SCRAPE, SCRUB, DEDUP and SPLIT are options of gitscrape (for the repository's
# commits and for its files), scrub, dedup and shard. Without scrub or dedup:
# SCRUB=none, DEDUP=none. Code that is like a text of the first stage is left
# out of the second. TEMPLATE1 and TEMPLATE2 are tokenize's.
SCRAPE ?=
SCRUB ?=
DEDUP ?=
SPLIT ?= --split-by group --val 0.02 --test 0.02
TEMPLATE1 ?= plain
TEMPLATE2 ?= auto

# How it is measured on what was held out to the end, and what is generated:
# options of evalprompts and generate. PROMPTS is a file of prompts.
SCORE ?= --records 200
SAMPLE ?= --temperature 0.7 --top-p 0.95

# Names of files are taken as they are, also with blanks and with $: they
# go through the environment, and make never looks into them.
PATHS := TEXT CODE WORK ARCH STAGE1 STAGE2 PROMPTS BIN
OTHERS := TRAIN1 TRAIN2 VOCAB SPECIAL SCRAPE SCRUB DEDUP SPLIT TEMPLATE1 \
	TEMPLATE2 SCORE SAMPLE THREADS
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
	exec "$$(dirname -- "$$THIS")/start-stages"
