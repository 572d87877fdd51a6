"""Loads every directory named with transformers; exit 1 unless each loads
with no key missing, unexpected or mismatched.

    python base.py BASE...
"""
import sys

from transformers import AutoModelForCausalLM

bad = 0
for path in sys.argv[1:]:
    _, info = AutoModelForCausalLM.from_pretrained(
        path, output_loading_info=True)
    wrong = {k: v for k, v in info.items() if v}
    print(path, wrong or "loaded")
    bad += bool(wrong)
sys.exit(bad > 0)
