"""Loads what quantize --to wrote with transformers and bitsandbytes, on the
CPU: nothing is warned of, and no key is missing, unexpected or of another
shape. With WIDE, a directory of what its 4-bit weights stand for in f32,
bitsandbytes' dequantize_4bit of each has those very bytes, but for modules
named SKIP.

    python quantized.py DIR [WIDE SKIP]

Prints one line; exit 1 when something is not as it should be.
"""
import logging
import sys
import warnings

import bitsandbytes as bnb
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging as said

path, *rest = sys.argv[1:]


class Heard(logging.Handler):
    records = []

    def emit(self, record):
        self.records.append(record.getMessage())


said.get_logger("transformers").addHandler(Heard(logging.WARNING))
said.disable_progress_bar()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model, info = AutoModelForCausalLM.from_pretrained(
        path, output_loading_info=True, device_map="cpu")
wrong = {k: v for k, v in info.items() if v}
ours = [str(w.message) for w in caught
        if not issubclass(w.category, (FutureWarning, DeprecationWarning))]
if wrong or Heard.records or ours:
    sys.exit("%s: said while loading: %s %s %s"
             % (path, Heard.records, ours, wrong))
linears = {n: m for n, m in model.named_modules()
           if isinstance(m, (bnb.nn.Linear4bit, bnb.nn.Linear8bitLt))}
if not linears:
    sys.exit("%s: no quantised module" % path)
same = 0
if rest:
    wide = load_file(rest[0] + "/model.safetensors")
    for name, m in linears.items():
        if name.endswith(rest[1]):
            continue
        got = bnb.functional.dequantize_4bit(m.weight.data,
                                             m.weight.quant_state)
        if not torch.equal(got.float(), wide[name + ".weight"]):
            sys.exit("%s: %s is dequantised to other values" % (path, name))
        same += 1
    if same == 0:
        sys.exit("%s: nothing was compared" % path)
print("%s: %d quantised modules, %d dequantised alike"
      % (path, len(linears), same))
