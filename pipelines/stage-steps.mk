# stage-steps.mk - the steps of two-stage.mk. `start-stages` runs it in the
# directory WORK, with what was chosen in the environment. keys.mk says how
# they are written.

# The content ids of sets of this step.
IDS = (cd -- "$$WORK"; jq -r .content $(filter %/manifest.json,$^))
SETS := text code

all: history.json
	@"$$HERE/stages" history.json

# ---- what is learned ----------------------------------------------------

# Divided before anything is learned of it, the vocabulary included.
key/text: FORCE
	$(KEY) 'echo "text $$SPLIT"; "$$HERE/texts" -l TEXT "$$TEXT"; \
	for o in "$$SCRUB" "$$DEDUP"; do echo "$$o"; \
	"$$HERE/contents" "$$o"; done'

text/manifest.json: key/text
	$(STEP) "the language: $$TEXT" $(@D) \
	'"$$HERE/texts" TEXT "$$TEXT"'"$$SCRUBBER$$DEDUPER"' \
	| shard'" $$SPLIT"' -o "$$OUT"; "$$HERE/enough" "$$OUT" text'

# With what the first stage has in dedup's index, nothing that is held out of
# one stage is trained on in the other.
key/code: text/manifest.json FORCE
	$(KEY) 'echo "code $$SPLIT $$SCRAPE"; "$$HERE/texts" -l CODE "$$CODE"; \
	for o in "$$SCRUB" "$$DEDUP"; do echo "$$o"; \
	"$$HERE/contents" "$$o"; done; [ -z "$$DEDUPER" ] || $(IDS)'

code/manifest.json: key/code
	$(STEP) "the code: $$CODE" $(@D) \
	'rm -f -- "$$WORK/key/seen"; '"$$SEEN"'"$$HERE/texts" CODE "$$CODE"\
	'"$$SCRUBBER$$NEWLY"' | shard'" $$SPLIT"' -o "$$OUT"; \
	rm -f -- "$$WORK/key/seen"; "$$HERE/enough" "$$OUT" code'

key/vocab: text/manifest.json code/manifest.json FORCE
	$(KEY) 'echo "vocab $$VOCAB $$SPECIAL"; $(IDS)'

tokenizer.json: key/vocab
	$(STEP) "vocabulary of $$VOCAB tokens from what is trained on" $@ \
	'for set in $(SETS); do \
	tojsonl --exact --split train "$$WORK/$$set"; done \
	| fromjsonl | vocabtrain --size "$$VOCAB" --special "$$SPECIAL" -o "$$OUT"'

key/text-tokens: text/manifest.json tokenizer.json FORCE
	$(KEY) 'echo "text-tokens $$TEMPLATE1 $$SPLIT"; $(IDS); \
	b2sum <"$$WORK/tokenizer.json"; \
	[ ! -f "$$TEMPLATE1" ] || b2sum <"$$TEMPLATE1"'

text-tokens/manifest.json: key/text-tokens
	$(STEP) "the language as tokens" $(@D) \
	'tokenize -t "$$WORK/tokenizer.json" --template "$$TEMPLATE1" \
	--threads "$$THREADS" "$$WORK/text" | shard'" $$SPLIT"' -o "$$OUT"; \
	"$$HERE/enough" "$$OUT" text'

key/code-tokens: code/manifest.json tokenizer.json FORCE
	$(KEY) 'echo "code-tokens $$TEMPLATE2 $$SPLIT"; $(IDS); \
	b2sum <"$$WORK/tokenizer.json"; \
	[ ! -f "$$TEMPLATE2" ] || b2sum <"$$TEMPLATE2"'

code-tokens/manifest.json: key/code-tokens
	$(STEP) "the code as tokens" $(@D) \
	'tokenize -t "$$WORK/tokenizer.json" --template "$$TEMPLATE2" \
	--threads "$$THREADS" "$$WORK/code" | shard'" $$SPLIT"' -o "$$OUT"; \
	"$$HERE/enough" "$$OUT" code'

# ---- the model ----------------------------------------------------------

key/init: tokenizer.json FORCE
	$(KEY) 'echo init; cat "$$ARCH" "$$WORK/$<" | b2sum'

init/config.json: key/init
	$(STEP) "$$NAME, not trained yet" $(@D) \
	'initmodel --tokenizer "$$WORK/tokenizer.json" -o "$$OUT" "$$ARCH"'

# What a run is made of, but for its base.
RUN = echo "stage$1 $$TRAIN$1"; b2sum <"$$STAGE$1"; \
	jq -r .content "$$WORK/$2-tokens/manifest.json"
TRAIN = train --method full --config "$$STAGE$1" --data "$$WORK/$2-tokens" \
	--base "$$WORK/$3" -o "$$OUT" --resume \
	$$([ ! -d "$$OUT/checkpoints" ] || echo $${EXTEND$1:-})

key/needs.json: text-tokens/manifest.json code-tokens/manifest.json \
		init/config.json FORCE
	$(KEY) '$(call RUN,1,text); $(call RUN,2,code); cat "$$WORK/key/init"'

needs.json: key/needs.json
	$(STEP) "what training needs" $@ '"$$HERE/needs" >"$$OUT"'

key/stage1: text-tokens/manifest.json init/config.json needs.json FORCE
	$(KEY) '$(call RUN,1,text); cat "$$WORK/key/init"'

stage1/manifest.json: key/stage1
	$(STEP) -r "stage 1: $$NAME learns the language" $(@D) \
	'$(call TRAIN,1,text,init)'" $$TRAIN1"

key/stage2: code-tokens/manifest.json stage1/manifest.json FORCE
	$(KEY) '$(call RUN,2,code); b2sum <"$$WORK/stage1/manifest.json"'

stage2/manifest.json: key/stage2
	$(STEP) -r "stage 2: it learns the code" $(@D) \
	'$(call TRAIN,2,code,stage1/model)'" $$TRAIN2"

# ---- what came of it ----------------------------------------------------

MODELS = cat "$$WORK/stage1/manifest.json" "$$WORK/stage2/manifest.json" \
	| b2sum

$(SETS:%=key/%.score.json): key/%.score.json: %-tokens/manifest.json \
		stage1/manifest.json stage2/manifest.json FORCE
	$(KEY) 'echo "score $$SCORE"; $(MODELS); jq -r .content "$$WORK/$<"'

$(SETS:%=%.score.json): %.score.json: key/%.score.json
	$(STEP) "both stages on held-out $*" $@ \
	'evalprompts --base "$$WORK/stage1/model" \
	--compare "$$WORK/stage2/model" --data "$$WORK/$*-tokens" --split test \
	--seq-len "$$(jq ".options[\"seq-len\"]" "$$WORK/stage2/config.json")" \
	--threads "$$THREADS"'" $$SCORE"' >"$$OUT"'

key/samples.jsonl: stage2/manifest.json FORCE
	$(KEY) 'echo "samples $$SAMPLE"; $(MODELS); b2sum <"$$PROMPTS"'

samples.jsonl: key/samples.jsonl
	$(STEP) "what the model says" $@ \
	'generate --base "$$WORK/stage2/model" --threads "$$THREADS" \
	'"$$SAMPLE"' "$$PROMPTS" >"$$OUT"'

key/history.json: $(SETS:%=%.score.json) samples.jsonl FORCE
	$(KEY) 'cd -- "$$WORK"; b2sum <samples.jsonl; cat $(SETS:%=%.score.json) \
	stage?/manifest.json stage?/metrics.jsonl | b2sum'

history.json: key/history.json
	$(STEP) "all of that in one file" $@ '"$$HERE/history" >"$$OUT"'

# Nothing here is ever half done.
OUTPUTS := text/manifest.json code/manifest.json tokenizer.json \
	text-tokens/manifest.json code-tokens/manifest.json init/config.json \
	needs.json stage1/manifest.json stage2/manifest.json text.score.json \
	code.score.json samples.jsonl history.json
.PRECIOUS: $(OUTPUTS) key/text key/code key/vocab key/text-tokens \
	key/code-tokens key/init key/needs.json key/stage1 key/stage2 \
	key/text.score.json key/code.score.json key/samples.jsonl \
	key/history.json
