"""Edits the model.safetensors of a model directory, or writes a PEFT adapter
of rank 2, for tests.

    python3 safetensors.py split DIR    into two files with an index
    python3 safetensors.py shift DIR    headers of odd length: data unaligned
    python3 safetensors.py set DIR TENSOR INDEX VALUE    one float
    python3 safetensors.py copy DIR TENSOR NEW    the same values, twice
    python3 safetensors.py adapter DIR MODULE:IN:OUT...
"""
import json
import os
import struct
import sys


def read(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__", None)
    return header, raw[8 + n:]


def write(path, header, data, names, pad=b""):
    out, at, body = {}, 0, b""
    for name in names:
        begin, end = header[name]["data_offsets"]
        out[name] = dict(header[name], data_offsets=[at, at + end - begin])
        at += end - begin
        body += data[begin:end]
    text = json.dumps(out).encode()
    text += b" " * (-len(text) % 8) + pad
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body)


def adapter(directory, modules):
    header, data = {}, b""
    for module in modules:
        name, n_in, n_out = module.split(":")
        for leaf, shape in (("lora_A", [2, int(n_in)]),
                            ("lora_B", [int(n_out), 2])):
            n = shape[0] * shape[1]
            header["base_model.model.%s.%s.weight" % (name, leaf)] = {
                "dtype": "F32", "shape": shape,
                "data_offsets": [len(data), len(data) + 4 * n]}
            data += struct.pack("<%df" % n,
                                *[(i % 7 - 3) / 8 for i in range(n)])
    os.makedirs(directory)
    write(os.path.join(directory, "adapter_model.safetensors"), header, data,
          list(header))
    targets = sorted({m.split(":")[0].split(".")[-1] for m in modules})
    with open(os.path.join(directory, "adapter_config.json"), "w") as f:
        json.dump({"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2,
                   "lora_alpha": 4, "lora_dropout": 0.0, "bias": "none",
                   "target_modules": targets, "use_rslora": False,
                   "fan_in_fan_out": False}, f, indent=2)


command, directory = sys.argv[1:3]
if command == "adapter":
    adapter(directory, sys.argv[3:])
    sys.exit()
path = os.path.join(directory, "model.safetensors")
header, data = read(path)
names = sorted(header, key=lambda k: header[k]["data_offsets"])
if command == "split":
    weight_map = {}
    for i in range(2):
        name = "model-%05d-of-00002.safetensors" % (i + 1)
        write(os.path.join(directory, name), header, data, names[i::2])
        weight_map.update(dict.fromkeys(names[i::2], name))
    with open(path + ".index.json", "w") as f:
        json.dump({"metadata": {}, "weight_map": weight_map}, f)
    os.remove(path)
elif command == "shift":
    write(path, header, data, names, b" ")
elif command == "set":
    tensor, index, value = sys.argv[3:6]
    at = header[tensor]["data_offsets"][0] + 4 * int(index)
    data = data[:at] + struct.pack("<f", float(value)) + data[at + 4:]
    write(path, header, data, names)
elif command == "copy":
    tensor, new = sys.argv[3:5]
    header[new] = header[tensor]
    write(path, header, data, names + [new] * (new not in names))
else:
    sys.exit("unknown command " + command)
