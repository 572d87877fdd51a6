#!/usr/bin/env python3
"""stops.py N [SEED] - N runs of train are stopped by signals at random moments.

In an empty directory, with train, verify, initmodel, fromjsonl and shard in
PATH. The model is wide enough for products whose code has a stack of its own.
Every run has to end by its signal (or 75), with a checkpoint, and to verify;
half of them are stopped again when they go on. In the end all have the bits,
and the metrics, of a run that was never stopped. A signal that comes before
train listens, or after it is done, stops nothing: such a try is counted and
made again.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

ARCH = {"model_type": "llama", "vocab_size": 64, "hidden_size": 128,
        "intermediate_size": 256, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 128}
SIGNALS = [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP]
KINDS = [["--method", "full"],
         ["--rank", "8", "--dropout", "0.1", "--accum", "3"]]
OPTIONS = ["-q", "--data", "data", "--base", "base", "--batch", "4",
           "--seq-len", "96", "--steps", "24", "--eval-every", "5",
           "--log-every", "4", "--save-every", "7"]


def make_inputs():
    with open("arch.json", "w") as f:
        json.dump(ARCH, f)
    subprocess.run(["initmodel", "-q", "-o", "base", "arch.json"], check=True)
    r = random.Random(1)
    lines = "".join(json.dumps({"ids": [r.randrange(64) for _ in range(60)]})
                    + "\n" for _ in range(200))
    tokens = subprocess.run(["fromjsonl", "-q", "--vocab", "64"], check=True,
                            input=lines.encode(), stdout=subprocess.PIPE)
    subprocess.run(["shard", "-q", "--test", "0", "--val", "0.3", "-o",
                    "data"], input=tokens.stdout, check=True)


def train(kind, run, *more):
    return subprocess.Popen(["train", *OPTIONS, *KINDS[kind], *more, "-o",
                             run], stderr=subprocess.PIPE)


def result(run):
    """What a run left that must not depend on how it got there."""
    state = {}
    for name in ("checkpoints/step-24/state.safetensors",
                 "adapter/adapter_model.safetensors",
                 "model/model.safetensors"):
        path = os.path.join(run, name)
        if os.path.exists(path):
            with open(path, "rb") as f:
                state[name] = f.read()
    with open(os.path.join(run, "metrics.jsonl")) as f:
        lines = [json.loads(line) for line in f]
    for line in lines:
        line.pop("tok_s", None)
        line.pop("peak_bytes", None)
        line.pop("machine", None)
    state["metrics"] = lines
    return state


def changed(run):
    """When train last wrote there, which it does not before it listens."""
    return [os.stat(path).st_mtime_ns for path in
            (run, os.path.join(run, "checkpoints"),
             os.path.join(run, "metrics.jsonl")) if os.path.exists(path)]


def stop(kind, run, most, r, *more):
    """True when the run was stopped, False when there was nothing to stop."""
    sig = r.choice(SIGNALS)
    before = changed(run)
    p = train(kind, run, *more)
    time.sleep(r.random() * most)
    p.send_signal(sig)
    said = p.communicate()[1].decode()
    if p.returncode == 0:
        return False
    if not os.path.exists(os.path.join(run, "config.json")):
        return False
    if p.returncode == -sig and said == "" and changed(run) == before:
        return False
    want = 75 if sig == signal.SIGUSR1 else -sig
    if p.returncode != want or "go on with --resume" not in said:
        sys.exit(f"{run}: {sig.name} gave {p.returncode}: {said}")
    if not os.listdir(os.path.join(run, "checkpoints")):
        sys.exit(f"{run}: no checkpoint")
    return True


def main():
    n = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    r = random.Random(seed)
    make_inputs()
    whole, most = [], []
    for kind in range(len(KINDS)):
        began = time.time()
        if train(kind, f"whole-{kind}").wait() != 0:
            sys.exit("the run that is not stopped failed")
        most.append(time.time() - began)
        whole.append(result(f"whole-{kind}"))
    stopped = again = missed = 0
    while stopped < n:
        kind = stopped % len(KINDS)
        shutil.rmtree("run", ignore_errors=True)
        if not stop(kind, "run", most[kind], r):
            missed += 1
            if missed > 2 * n + 20:
                sys.exit(f"only {stopped} of {missed + stopped} were stopped")
            continue
        stopped += 1
        if r.random() < 0.5:
            again += stop(kind, "run", most[kind], r, "--resume")
        if train(kind, "run", "--resume").wait() != 0:
            sys.exit("run: does not go on")
        if result("run") != whole[kind]:
            sys.exit(f"run: another result (seed {seed}, stop {stopped})")
        if subprocess.run(["verify", "-q", "run"],
                          stdout=subprocess.DEVNULL).returncode != 0:
            sys.exit("run: does not verify")
    print(f"{stopped} stopped, {again} of them twice, {missed} not met; "
          f"seed {seed}")


main()
