"""Gives JSON lines to TRL's SFTTrainer and prints what it would train on.

    python sft.py TOKENIZER LINES [NAME EOS]

A line for each: the ids, then 1 for each that has loss and 0 for others. The
tokenizer closes a completion by its <|endoftext|>. Its chat template is a small
one, or TRL's own NAME, with EOS for its eos_token: SFTTrainer puts the one that
it trains with in its place.
"""
import json
import os
import sys
import tempfile

from datasets import Dataset
from transformers import (LlamaConfig, LlamaForCausalLM,
                          PreTrainedTokenizerFast)
import trl
from trl import SFTConfig, SFTTrainer

eos = sys.argv[4] if len(sys.argv) > 4 else "<|endoftext|>"
tokenizer = PreTrainedTokenizerFast(tokenizer_file=sys.argv[1], eos_token=eos,
                                    pad_token="<|endoftext|>")
tokenizer.chat_template = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content }}\n{% endgeneration %}{% else %}{{ m.role }}: "
    "{{ m.content }}\n{% endif %}{% endfor %}")
if len(sys.argv) > 3:
    with open(os.path.join(trl.__path__[0], "chat_templates",
                           sys.argv[3] + ".jinja")) as f:
        tokenizer.chat_template = f.read()
with open(sys.argv[2]) as f:
    rows = [json.loads(line) for line in f]
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8,
    num_hidden_layers=1, num_attention_heads=1))
with tempfile.TemporaryDirectory() as out:
    trainer = SFTTrainer(
        model=model, processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        args=SFTConfig(output_dir=out, max_length=None, report_to=[],
                       use_cpu=True, bf16=False, eos_token=eos,
                       assistant_only_loss="messages" in rows[0]))
    for row in trainer.train_dataset:
        batch = trainer.data_collator([row])
        print(json.dumps([batch["input_ids"][0].tolist(),
                          [int(v != -100) for v in batch["labels"][0]]]))
