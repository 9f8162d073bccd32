#!/usr/bin/env python3
"""Ids of this project's tokenisers against Hugging Face's, and the speed of both.

usage: check_tokenizer.py TOOL TOKENIZER [--characters] [--time THREADS] FILE...
TOOL is build/release/tests/tokenizer_tool, TOKENIZER a tokenizer.json, FILE a text with one record
a line. Needs the Python package tokenizers; the project's own tests do not run this.
"""

import argparse
import json
import os
import subprocess
import sys
import time


def our_ids(arguments):
    out = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [[int(i) for i in line.split()] for line in out.split("\n")[:-1]]


def compare(name, texts, ours, theirs):
    different = [i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b]
    print(f"{name}: {len(texts)} texts, {len(ours)} of ours, {len(different)} differ")
    for i in different[:8]:
        print(f"  {texts[i][:80]!r}: ours {ours[i][:16]}, theirs {theirs[i][:16]}")
    return len(different) + abs(len(ours) - len(texts))


def timed(tool, tokenizer, hf, path, texts, threads):
    """Both sides in alternation; the median of each."""
    ours, theirs = [], []
    for _ in range(5):
        out = subprocess.run([tool, "time", tokenizer, path, str(threads), "5"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        ours.append(json.loads(out)["median_ms"])
        begin = time.perf_counter()
        hf.encode_batch(texts)
        theirs.append((time.perf_counter() - begin) * 1e3)
    ours, theirs = sorted(ours)[2], sorted(theirs)[2]
    print(json.dumps({"workload": "tokenize", "threads": threads, "texts": len(texts),
                      "athanor_ms": ours, "tokenizers_ms": round(theirs, 1),
                      "ratio": round(theirs / ours, 1)}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("tokenizer")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--characters", action="store_true")
    parser.add_argument("--time", type=int)
    args = parser.parse_intermixed_args()
    if args.time:
        os.environ["RAYON_NUM_THREADS"] = str(args.time)
    from tokenizers import Tokenizer
    hf = Tokenizer.from_file(args.tokenizer)
    hf.no_truncation()
    hf.no_padding()
    differences = 0
    if args.characters:
        texts = ["a" + chr(c) + "b" for c in range(0x110000) if not 0xD800 <= c < 0xE000]
        theirs = [e.ids for e in hf.encode_batch(texts)]
        differences += compare("code points", texts,
                               our_ids([args.tool, "characters", args.tokenizer]), theirs)
    for path in args.files:
        with open(path, encoding="utf8", newline="\n") as file:
            texts = [line.rstrip("\n") for line in file]
        if args.time:
            timed(args.tool, args.tokenizer, hf, path, texts, args.time)
            continue
        theirs = [e.ids for e in hf.encode_batch(texts)]
        differences += compare(path, texts, our_ids([args.tool, "ids", args.tokenizer, path]), theirs)
    sys.exit(differences > 0)


if __name__ == "__main__":
    main()
