#!/usr/bin/env python3
"""What the writers of Megatron-LM and llm.c make of ids, for
tests/cli/trainers.bats.

    python3 tests/golden/trainers.py DATA_COMMON > tests/golden/trainers.json

Needs megatron-core (seen: 0.16.1), torch, and llm.c's
dev/data/data_common.py (seen: f1e2ace) as DATA_COMMON, which needs requests
and tqdm. "write" are data sets as graft would write them: a vocabulary, its
documents, Megatron-LM's two files and llm.c's in base64. "read" are some that
graft would not: several sequences to a document, documents without any, ids
of other types; and for llm.c an end token before each document.
"""
import base64
import contextlib
import importlib.util
import io
import json
import os
import sys
import tempfile

import numpy
import torch

with contextlib.redirect_stderr(io.StringIO()):
    from megatron.core.datasets.indexed_dataset import (
        DType, IndexedDataset, IndexedDatasetBuilder)

spec = importlib.util.spec_from_file_location("data_common", sys.argv[1])
data_common = importlib.util.module_from_spec(spec)
spec.loader.exec_module(data_common)


def b64(path):
    with open(path, "rb") as f:
        return base64.b64encode(f.read()).decode()


def megatron(documents, dtype):
    """documents: lists of sequences, which are lists of ids."""
    with tempfile.TemporaryDirectory() as d:
        prefix = os.path.join(d, "x")
        builder = IndexedDatasetBuilder(prefix + ".bin", dtype=dtype)
        for document in documents:
            ids = [i for sequence in document for i in sequence]
            builder.add_document(torch.tensor(ids, dtype=torch.int64),
                                 [len(sequence) for sequence in document])
        builder.finalize(prefix + ".idx")
        assert len(IndexedDataset(prefix)) == sum(map(len, documents))
        return {"bin": b64(prefix + ".bin"), "idx": b64(prefix + ".idx")}


def llmc(ids, kind):
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "x.bin")
        with contextlib.redirect_stdout(io.StringIO()):
            data_common.write_datafile(path, ids, kind)
        return b64(path)


def written(vocab, documents):
    ids = [i for document in documents for i in document]
    return {"vocab": vocab, "documents": documents,
            **megatron([[d] for d in documents], DType.optimal_dtype(vocab)),
            "llmc": llmc(ids, "gpt-2" if vocab <= 65536 else "llama-3")}


def read(documents, dtype):
    return {"documents": [[i for s in d for i in s] for d in documents],
            "type": dtype.__name__, **megatron(documents, dtype)}


several = [[[1, 2, 3], [4]], [], [[5]], [[6, 7], [8], [9, 127]], []]
json.dump({
    "write": [
        written(300, [[7, 299, 0], [0], [5, 6, 7, 8, 0]]),
        written(65499, [[65498, 1], [2]]),
        written(65500, [[65499, 1], [2]]),
        written(65536, [[65535, 1], [2]]),
        written(70000, [[69999, 1, 0], [65536, 0]]),
    ],
    "read": [read(several, t) for t in (
        numpy.uint8, numpy.int8, numpy.int16, numpy.int32, numpy.int64,
        numpy.uint16)],
    "before": {
        "documents": [[50256, 1, 2], [50256, 3], [50256], [50256, 4]],
        "llmc": llmc([50256, 1, 2, 50256, 3, 50256, 50256, 4], "gpt-2")},
}, sys.stdout, indent=1)
print()
