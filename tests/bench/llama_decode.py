#!/usr/bin/env python3
"""Tokens a second of llama.cpp, one after the other, as decode.c has them:

    llama_decode.py FILE THREADS TOKENS

By one thread the processor's time is taken. Wants llama-cpp-python."""
import statistics
import sys
import time

import llama_cpp as llama


def token_times(path, threads, tokens):
    clock = time.process_time if threads == 1 else time.perf_counter
    llama.llama_backend_init()
    model = llama.llama_model_load_from_file(
        path.encode(), llama.llama_model_default_params())
    opts = llama.llama_context_default_params()
    opts.n_ctx = 512
    opts.n_threads = opts.n_threads_batch = threads
    context = llama.llama_init_from_model(model, opts)
    for i in range(tokens + 1):
        start = clock()
        batch = llama.llama_batch_get_one(
            (llama.llama_token * 1)(i % 100 + 1), 1)
        if llama.llama_decode(context, batch) != 0:
            sys.exit("llama_decode: no token")
        llama.llama_get_logits(context)
        if i > 0:
            yield clock() - start


path, threads, tokens = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
print("llama_tokens_per_second %.2f" %
      (1 / statistics.median(token_times(path, threads, tokens))))
