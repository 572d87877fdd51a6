"""llama.cpp with an exported adapter, for comparison with generate.

    python llama.py floats IN.gguf OUT.gguf   all tensors in F32, so that
                                              llama.cpp rounds no activations
    python llama.py adapter DIR OUT.gguf      a random adapter of that base,
                                              with rsLoRA and both patterns
    python llama.py greedy BASE LORA N TEXT   prints what follows of N tokens;
                                              LORA may be ""

Wants gguf, safetensors and llama-cpp-python.
"""
import json
import os
import sys

import numpy as np


def floats(source, to):
    import gguf
    reader = gguf.GGUFReader(source)
    key = {k: f for k, f in reader.fields.items()
           if not k.startswith("GGUF.") and k != "general.architecture"}
    w = gguf.GGUFWriter(to, reader.fields["general.architecture"].contents())
    for k, f in key.items():
        if f.types[0] == gguf.GGUFValueType.ARRAY:
            w.add_array(k, f.contents())
        else:
            w.add_key_value(k, f.contents(), f.types[0])
    for t in reader.tensors:
        x = gguf.quants.dequantize(t.data, t.tensor_type)
        w.add_tensor(t.name, x.astype(np.float32).reshape(
            [int(n) for n in t.shape][::-1]))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def adapter(directory, base):
    import gguf
    from safetensors.numpy import save_file
    names = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
             "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
             "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
             "ffn_down": "mlp.down_proj"}
    ranks, alphas = {"k_proj": 4, "down_proj": 16}, {"q_proj": 24}
    rng, out = np.random.default_rng(5), {}
    for t in gguf.GGUFReader(base).tensors:
        part = t.name.split(".")
        if part[0] != "blk" or part[2] not in names:
            continue
        module = names[part[2]]
        r = ranks.get(module.split(".")[1], 8)
        path = "base_model.model.model.layers.%s.%s." % (part[1], module)
        n_in, n_out = int(t.shape[0]), int(t.shape[1])
        out[path + "lora_A.weight"] = rng.standard_normal(
            (r, n_in), np.float32) / np.float32(n_in) ** 0.5
        out[path + "lora_B.weight"] = rng.standard_normal(
            (n_out, r), np.float32) * np.float32(0.015)
    os.makedirs(directory)
    save_file(out, directory + "/adapter_model.safetensors")
    json.dump({"peft_type": "LORA", "r": 8, "lora_alpha": 16,
               "use_rslora": True, "rank_pattern": ranks,
               "alpha_pattern": alphas, "target_modules":
               [n.split(".")[1] for n in names.values()]},
              open(directory + "/adapter_config.json", "w"))


def greedy(base, lora, n, text):
    from llama_cpp import Llama
    m = Llama(base, lora_path=lora or None, n_ctx=256, verbose=False,
              n_threads=2, logits_all=True)
    m.eval(m.tokenize(text.encode(), add_bos=False))
    out = []
    for _ in range(int(n)):
        out.append(int(np.argmax(m.scores[m.n_tokens - 1])))
        m.eval(out[-1:])
    sys.stdout.buffer.write(m.detokenize(out))


{"floats": floats, "adapter": adapter, "greedy": greedy}[sys.argv[1]](
    *sys.argv[2:])
