#!/usr/bin/env python3
"""Sentence vectors of `athanor embed` against transformers, STS-B's correlation, and the speed.

usage: check_embeddings.py ATHANOR MODEL_FOLDER [--sts DEV.tsv] [--time THREADS] TEXTS...
MODEL_FOLDER has config.json, *.safetensors and tokenizer.json of a BERT encoder whose sentence
vector is the mean of its tokens' vectors; DEV.tsv has two texts and their score as its last
three columns; TEXTS have one text a line. Needs torch, transformers, tokenizers, safetensors, scipy.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

MAX_TOKENS = 128


class Peer:
    """transformers' encoder with mean pooling and vectors of length 1."""

    def __init__(self, folder):
        config = BertConfig(**json.loads((folder / "config.json").read_text()))
        self.model = BertModel(config, add_pooling_layer=False).eval()
        weights = {k: v.float() for f in sorted(folder.glob("*.safetensors"))
                   for k, v in load_file(f).items()}
        missing, _ = self.model.load_state_dict(weights, strict=False)
        assert not [k for k in missing if "position_ids" not in k], missing
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding()

    @torch.no_grad()
    def embed(self, texts, batch=32):
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = [None] * len(texts)
        for first in range(0, len(order), batch):
            part = order[first:first + batch]
            encoded = self.tokenizer.encode_batch([texts[i] for i in part])
            ids = torch.tensor([e.ids for e in encoded])
            mask = torch.tensor([e.attention_mask for e in encoded])
            states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
            weights = mask[:, :, None].float()
            mean = (states * weights).sum(1) / weights.sum(1)
            for i, vector in zip(part, torch.nn.functional.normalize(mean, dim=1)):
                vectors[i] = vector.numpy()
        return numpy.stack(vectors)


def ours(athanor, folder, texts, threads):
    """Vectors, and the seconds that the command took."""
    with tempfile.TemporaryDirectory() as work:
        source, target = pathlib.Path(work, "texts.txt"), pathlib.Path(work, "vectors.npy")
        source.write_text("".join(t + "\n" for t in texts), encoding="utf8")
        begin = time.perf_counter()
        subprocess.run([athanor, "embed", folder, source, "--out", target, "--normalize", "on",
                        "--max-length", str(MAX_TOKENS), "--threads", str(threads)], check=True,
                       stdout=subprocess.DEVNULL)
        return numpy.load(target), time.perf_counter() - begin


def unit(x):
    return x / numpy.linalg.norm(x, axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("athanor")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("texts", nargs="*", type=pathlib.Path)
    parser.add_argument("--sts", type=pathlib.Path)
    parser.add_argument("--time", type=int, help="threads")
    args = parser.parse_args()
    if args.time:
        torch.set_num_threads(args.time)
    peer = Peer(args.folder)
    failed = False
    for path in args.texts:
        texts = [t.strip() for t in path.read_text(encoding="utf8").splitlines() if t.strip()]
        if args.time:
            ratios = []
            for _ in range(7):
                _, seconds = ours(args.athanor, args.folder, texts, args.time)
                begin = time.perf_counter()
                peer.embed(texts)
                ratios.append((time.perf_counter() - begin) / seconds)
            ratios.sort()
            print(f"{path.name}: {len(texts)} texts, {args.time} threads: PyTorch's time / ours, "
                  f"start of the command included: {ratios[3]:.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]")
            continue
        mine, _ = ours(args.athanor, args.folder, texts, 0)
        cosine = (unit(mine) * unit(peer.embed(texts))).sum(1)
        print(f"{path.name}: {len(texts)} texts, smallest cosine {cosine.min():.7f}")
        failed |= bool(cosine.min() < 0.99999)
    if args.sts:
        from scipy.stats import spearmanr
        rows = [line.rstrip("\n").split("\t") for line in args.sts.open(encoding="utf8")]
        score = [float(r[-1]) for r in rows]
        results = []
        for embed in (lambda t: unit(ours(args.athanor, args.folder, t, 0)[0]), peer.embed):
            a, b = embed([r[-3] for r in rows]), embed([r[-2] for r in rows])
            results.append(spearmanr((a * b).sum(1), score).statistic)
        print(f"{args.sts.name}: {len(rows)} pairs, Spearman {results[0]:.4f}, peer {results[1]:.4f}")
        failed |= bool(abs(results[0] - results[1]) > 0.001)
    sys.exit(failed)


if __name__ == "__main__":
    main()
