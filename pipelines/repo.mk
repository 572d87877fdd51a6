# repo.mk - from a repository to a scored adapter, redoing only what changed.
#
#     make -f pipelines/repo.mk REPO=~/src/project WORK=work \
#          BASE=~/models/starcoder2-3b
#
# Without BASE a small vocabulary and a small llama-shaped base are trained on
# the C headers of this machine first, so that everything can be tried with
# nothing at hand.
#
# Each step has a key file, WORK/key/STEP: what goes in (ids of contents), the
# options that decide the result, the version of the programs. It is rewritten
# only when its text changes, and the step's output depends on it; so a run
# with nothing new touches no file.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.ONESHELL:
.SUFFIXES:

HERE := $(dir $(lastword $(MAKEFILE_LIST)))
BIN ?= $(HERE)../build/bin
WORK ?= work
REPO ?= $(HERE)..
# Not every shell expands it here, and quotes below keep it.
override REPO := $(patsubst ~/%,$(HOME)/%,$(REPO))
BASE ?=
THREADS ?= 0

# What decides the result. Override any of them on the command line.
TEMPLATE ?= commit
SEQ_LEN ?= 512
FORMAT ?= int8
LORA ?= --rank 16 --alpha 32 --batch 8 --steps 80 --lr 0.002 --log-every 20
SPLIT ?= --val 0.05 --test 0.1
HEADERS ?= /usr/include
HEADER_FILES ?= 1200
VOCAB ?= 4096
PRETRAIN ?= --batch 8 --steps 200 --log-every 50 --lr 0.002 --warmup 20
ARCH ?= $(HERE)demo-arch.json

export PATH := $(abspath $(BIN)):$(PATH)
export LC_ALL := C
K := $(WORK)/key
STEP := $(HERE)step
HEADER_LIST = $(HERE)headers $(HEADERS) $(HEADER_FILES)
VERSION := $(shell $(BIN)/train --version | head -n 1)

.PHONY: all FORCE
all: $(WORK)/score.json
	@$(HERE)table $(WORK)/score.json

# ---- keys -----------------------------------------------------------------

# KEY: write stdin to the target if that changes it.
KEY = mkdir -p $(K); t=$$(cat; echo '$(VERSION)'); \
	[ "$$t" = "$$(cat $@ 2>/dev/null)" ] || printf '%s\n' "$$t" > $@

ifeq ($(BASE),)

$(K)/vocab: FORCE
	@{ echo 'vocab $(VOCAB)'; $(HEADER_LIST) | xargs cat | b2sum; } | { $(KEY); }

$(WORK)/tokenizer.json: $(K)/vocab
	@$(STEP) "vocabulary of $(VOCAB) tokens from C headers" $@ \
	"$(HEADER_LIST) | fromfiles | vocabtrain --size $(VOCAB) \
	--special '<|endoftext|>' -o $@.new && mv $@.new $@"

$(K)/corpus: $(WORK)/tokenizer.json FORCE
	@{ echo 'corpus'; b2sum < $<; cat $(K)/vocab; } | { $(KEY); }

$(WORK)/corpus/manifest.json: $(K)/corpus
	@$(STEP) "the same headers as tokens" $(WORK)/corpus \
	"rm -rf $(WORK)/corpus; $(HEADER_LIST) | fromfiles \
	| tokenize -t $(WORK)/tokenizer.json --template plain \
	| shard --val 0.02 --test 0 -o $(WORK)/corpus"

$(K)/pretrain: $(WORK)/corpus/manifest.json FORCE
	@{ echo 'pretrain $(PRETRAIN) $(SEQ_LEN)'; b2sum < $(ARCH); \
	jq -r .content $<; } | { $(KEY); }

$(WORK)/pretrain/manifest.json: $(K)/pretrain
	@$(STEP) "a small base, trained in full on the headers" \
	$(WORK)/pretrain/model \
	"rm -rf $(WORK)/init $(WORK)/pretrain; \
	initmodel --tokenizer $(WORK)/tokenizer.json -o $(WORK)/init \
	$(ARCH); train --method full --data $(WORK)/corpus \
	--base $(WORK)/init -o $(WORK)/pretrain --seq-len $(SEQ_LEN) \
	--threads $(THREADS) $(PRETRAIN)"

MODEL := $(WORK)/pretrain/model
TOKENIZER := $(WORK)/tokenizer.json
$(K)/base: $(WORK)/pretrain/manifest.json FORCE
	@{ echo 'base $(FORMAT)'; b2sum < $<; } | { $(KEY); }

else

# A model directory is recognised by its files' names, sizes and times.
MODEL := $(BASE)
TOKENIZER := $(BASE)/tokenizer.json
$(K)/base: FORCE
	@{ echo 'base $(FORMAT)'; find -L $(BASE) -type f \
	-printf '%f %s %T@\n' | sort; } | { $(KEY); }

endif

$(WORK)/base/manifest.json: $(K)/base
	@$(STEP) "the base as $(FORMAT)" $(WORK)/base \
	"rm -rf $(WORK)/base; quantize --format $(FORMAT) $(MODEL) \
	| shard -o $(WORK)/base"

# HEAD stands for all that is walked, and the records name the repository;
# the tokenizer is the base's.
REPO_NAME = $$(basename "$$(realpath '$(REPO)')")
$(K)/data: $(WORK)/base/manifest.json FORCE
	@{ echo 'data $(TEMPLATE) $(SEQ_LEN) $(SPLIT)'; echo "$(REPO_NAME)"; \
	git -C '$(REPO)' rev-parse HEAD; b2sum < $(TOKENIZER); } | { $(KEY); }

$(WORK)/data/manifest.json: $(K)/data
	@$(STEP) "the history of $(REPO_NAME) as tokens" \
	$(WORK)/data "rm -rf $(WORK)/data; gitscrape '$(REPO)' \
	| tokenize -t $(TOKENIZER) --template $(TEMPLATE) \
	--max-tokens $(SEQ_LEN) --threads $(THREADS) \
	| shard $(SPLIT) -o $(WORK)/data"

$(K)/run: $(WORK)/data/manifest.json $(WORK)/base/manifest.json FORCE
	@{ echo 'run $(LORA) $(SEQ_LEN)'; jq -r .content $(WORK)/data/manifest.json \
	$(WORK)/base/manifest.json; } | { $(KEY); }

$(WORK)/run/manifest.json: $(K)/run
	@$(STEP) "an adapter for that history" $(WORK)/run/adapter \
	"rm -rf $(WORK)/run; train --data $(WORK)/data --base $(WORK)/base \
	-o $(WORK)/run --seq-len $(SEQ_LEN) --threads $(THREADS) $(LORA)"

$(K)/score: $(WORK)/run/manifest.json FORCE
	@b2sum < $< | { $(KEY); }

$(WORK)/score.json: $(K)/score
	@$(STEP) "base against adapter on the held-out last commits" $@ \
	"evalprompts --base $(WORK)/base --adapter $(WORK)/run/adapter \
	--data $(WORK)/data --split test --seq-len $(SEQ_LEN) \
	--threads $(THREADS) > $@.new && mv $@.new $@"
