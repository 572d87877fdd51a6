"""Holds MERGED against what PEFT's merge_and_unload makes of BASE and ADAPTER
in float64, with transformers: nothing is warned of that is not of the base,
every parameter is there, and none is further from PEFT's than half a unit of
its type and 2^-21 of its tensor's largest.

    python merged.py BASE ADAPTER MERGED

Prints one line, "N parameters, of PEFT's at most X units off"; exit 1 when
something is not as it should be.
"""
import logging
import sys
import warnings

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
from transformers.utils import logging as said

base_dir, adapter_dir, merged_dir = sys.argv[1:4]


class Heard(logging.Handler):
    records = []

    def emit(self, record):
        self.records.append(record.getMessage())


def load(path, **how):
    Heard.records = []
    model, info = AutoModelForCausalLM.from_pretrained(
        path, output_loading_info=True, **how)
    return model, Heard.records, info


said.get_logger("transformers").addHandler(Heard(logging.WARNING))
said.disable_progress_bar()
base, of_base, _ = load(base_dir, dtype=torch.float64)
warnings.simplefilter("error")
merged, of_merged, info = load(merged_dir)
warnings.simplefilter("ignore")
if set(of_merged) - set(of_base) or any(info.values()):
    sys.exit("said while loading: %s %s" % (of_merged, info))
peft = PeftModel.from_pretrained(base, adapter_dir).merge_and_unload()
want, got = peft.state_dict(), merged.state_dict()
if set(want) != set(got):
    sys.exit("other parameters: %s" % sorted(set(want) ^ set(got)))
worst = 0
for name, p in want.items():
    unit = torch.finfo(got[name].dtype).eps / 2 * p.abs()
    sums = 2.0 ** -21 * p.abs().max()  # of 32 bits
    off = (got[name].double() - p).abs() / (unit + sums)
    worst = max(worst, off.max().item())
print("%d parameters, of PEFT's at most %.3g units off" % (len(want), worst))
if not worst <= 1:
    sys.exit(1)
