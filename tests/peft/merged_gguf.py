"""Holds GGUF files that merge wrote against the directories that it wrote of
the same bases and adapters: gguf reads them whole, llama.cpp computes what
transformers does, and cuts a text into the ids of tokenizers.

    python merged_gguf.py NAME...    NAME.gguf and the directory NAME.dir

Prints a line each; exit 1 when one is not as it should be. Wants gguf,
llama-cpp-python and transformers.
"""
import sys

import gguf
import numpy as np
import torch
from llama_cpp import Llama
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

TEXT = "line 5 says 3 of 12 things, don't we'll\n\n  12345 <|endoftext|> x"
F32 = 0  # a cache that rounds nothing
failed = False
for name in sys.argv[1:]:
    tokenizer = Tokenizer.from_file(name + ".dir/tokenizer.json")
    model = AutoModelForCausalLM.from_pretrained(name + ".dir",
                                                 dtype=torch.float32)
    file = gguf.GGUFReader(name + ".gguf")
    tokens = file.fields["tokenizer.ggml.tokens"].contents()
    theirs = Llama(name + ".gguf", n_ctx=64, n_threads=1, verbose=False,
                   logits_all=True, type_k=F32, type_v=F32)
    ids = [(1 + 7919 * i) % model.config.vocab_size for i in range(48)]
    theirs.eval(ids)
    with torch.no_grad():
        want = model(torch.tensor([ids])).logits[0].numpy()
    off = np.abs(np.array(theirs.scores[:len(ids)]) - want).max()
    text = theirs.tokenize(TEXT.encode(), add_bos=False, special=True)
    same = (text == tokenizer.encode(TEXT, add_special_tokens=False).ids
            and len(tokens) == model.config.vocab_size
            and all(t.tensor_type == F32 for t in file.tensors))
    # llama.cpp has GELU in a table of 16 bits.
    print("%s: off by %.2g of %.2g%s" % (name, off, np.abs(want).max(),
                                         "" if same else ", other tokens"))
    failed |= not (same and off < 1e-3 * np.abs(want).max())
    theirs.close()
sys.exit(failed)
