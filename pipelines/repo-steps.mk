# repo-steps.mk - the steps of repo.mk. `start` runs it in the directory WORK, with
# what was chosen in the environment.
# keys.mk says how they are written.

HEADER_LIST := "$$HERE/headers" "$$HEADERS" "$$HEADER_FILES"

all: report.html data-card.md
	@"$$HERE/table" score.json

ifndef BASE

key/vocab: FORCE
	$(KEY) 'echo "vocab $$VOCAB"; \
	$(HEADER_LIST) | tr "\n" "\0" | xargs -0 cat | b2sum'

tokenizer.json: key/vocab
	$(STEP) "vocabulary of $$VOCAB tokens from C headers" $@ \
	'$(HEADER_LIST) | fromfiles | vocabtrain --size "$$VOCAB" \
	--special "<|endoftext|>" -o "$$OUT"'

key/corpus: tokenizer.json FORCE
	$(KEY) 'echo corpus; b2sum <"$$WORK/$<"; cat "$$WORK/key/vocab"'

corpus/manifest.json: key/corpus
	$(STEP) "the same headers as tokens" $(@D) \
	'$(HEADER_LIST) | fromfiles \
	| tokenize -t "$$WORK/tokenizer.json" --template plain \
	| shard --val 0.02 --test 0 -o "$$OUT"'

key/init: tokenizer.json FORCE
	$(KEY) 'echo init; cat "$$ARCH" "$$WORK/$<" | b2sum'

init/config.json: key/init
	$(STEP) "a small base, not trained yet" $(@D) \
	'initmodel --tokenizer "$$WORK/tokenizer.json" -o "$$OUT" "$$ARCH"'

key/pretrain: corpus/manifest.json init/config.json FORCE
	$(KEY) 'echo "pretrain $$PRETRAIN $$SEQ_LEN"; \
	jq -r .content "$$WORK/$<"; cat "$$WORK/key/init"'

pretrain/manifest.json: key/pretrain
	$(STEP) -r "that base, trained in full on the headers" $(@D) \
	'train --method full --data "$$WORK/corpus" --base "$$WORK/init" \
	-o "$$OUT" --resume --seq-len "$$SEQ_LEN" --threads "$$THREADS"'" \
	$$PRETRAIN"

key/base: pretrain/manifest.json FORCE
	$(KEY) 'echo "base $$FORMAT"; b2sum <"$$WORK/$<"'

else

# A model directory is recognised by its files' names, sizes and times.
key/base: FORCE
	$(KEY) 'echo "base $$FORMAT"; \
	find -L "$$BASE" -type f -printf "%f %s %T@\n" | sort'

endif

base/manifest.json: key/base
	$(STEP) "the base as $$FORMAT" $(@D) \
	'quantize --format "$$FORMAT" "$$MODEL" | shard -o "$$OUT"'

# HEAD stands for all that is walked, and the records name the repository;
# the tokenizer is the base's.
key/data: base/manifest.json FORCE
	$(KEY) 'echo "data $$SCRAPE $$TEMPLATE $$SEQ_LEN $$SPLIT"; \
	for o in "$$SCRUB" "$$DEDUP"; do echo "$$o"; \
	"$$HERE/contents" "$$o"; done; \
	[[ $$TEMPLATE != */* && $$TEMPLATE != *.template ]] \
	|| b2sum <"$$TEMPLATE"; echo "$$REPO_NAME"; \
	git -c safe.directory="*" -C "$$REPO" rev-parse HEAD $${SCRAPE:+--all}; \
	 b2sum <"$$TOKENIZER"'

# With 3 a program has left out what -k let it, and told of it.
data/manifest.json: key/data
	$(STEP) "the history of $$REPO_NAME as tokens" $(@D) \
	"{ gitscrape $$SCRAPE"' "$$REPO" || [ $$? -eq 3 ]; } \
	'"$$FILTERS"' \
	| tokenize -t "$$TOKENIZER" --template "$$TEMPLATE" \
	--max-tokens "$$SEQ_LEN" --threads "$$THREADS" \
	| shard'" $$SPLIT"' -o "$$OUT"; "$$HERE/enough" "$$OUT" history'

key/card: data/manifest.json FORCE
	$(KEY) 'echo card; b2sum <"$$WORK/$<"'

data-card.md: key/card
	$(STEP) "what is to be said of that data" $@ \
	'tojsonl --card "$$WORK/data" >"$$OUT"'

key/run: data/manifest.json base/manifest.json FORCE
	$(KEY) 'echo "run $$LORA $$LOSS $$SEQ_LEN"; "$$HERE/contents" "$$LORA"; \
	[ -z "$$CONFIG" ] || b2sum <"$$CONFIG"; \
	jq -r .content "$$WORK/data/manifest.json" "$$WORK/base/manifest.json"'

run/manifest.json: key/run
	$(STEP) -r "an adapter for that history" $(@D) \
	'train --data "$$WORK/data" --base "$$WORK/base" -o "$$OUT" --resume \
	$$([ ! -d "$$OUT/checkpoints" ] || echo $${EXTEND:-}) \
	--loss "$$LOSS" --seq-len "$$SEQ_LEN" --threads "$$THREADS"'" $$LORA"

# Without BASE there is text that is not the repository's: what the base was
# trained on, held out of that.
ifndef BASE
FORGET := --forget-data "$$WORK/corpus" --forget-split val
endif

key/score: run/manifest.json FORCE
	$(KEY) 'echo "score by $$SCORE"; "$$HERE/contents" "$$SCORE"; b2sum <"$$WORK/$<"'

score.json: key/score
	$(STEP) "base against adapter on the held-out last commits" $@ \
	'evalprompts --base "$$WORK/base" --adapter "$$WORK/run/adapter" \
	--data "$$WORK/data" --split test --by language,age $(FORGET) \
	--seq-len "$$SEQ_LEN" --threads "$$THREADS"'" $$SCORE"' >"$$OUT"'

key/report: score.json FORCE
	$(KEY) 'echo report; b2sum <"$$WORK/$<"; b2sum <"$$WORK/run/manifest.json"; \
	b2sum <"$$WORK/run/metrics.jsonl"'

report.html: key/report
	$(STEP) "all of that as a page" $@ \
	'report -o "$$OUT" "$$WORK/run" "$$WORK/score.json"'

# Nothing here is ever half done.
.PRECIOUS: key/vocab tokenizer.json key/corpus corpus/manifest.json \
	key/init init/config.json key/pretrain pretrain/manifest.json \
	key/base base/manifest.json key/data data/manifest.json \
	key/card data-card.md key/run run/manifest.json key/score score.json \
	key/report report.html
