#!/usr/bin/env python3
"""MiniLM fine-tuned on SST-2 by PyTorch, with the settings of `athanor train`: is it the code or the
model that limits examples/recipes/sst2-minilm.toml?

    sst2_torch.py split SST2 OUT          # OUT: 1,500 held-out sentences as test.tsv, no phrase of
                                          # theirs in train.tsv
    sst2_torch.py train DIR MINILM [--seed N] [--threads N] [--rate R] [--batch N] [--warmup W]

SST2 and DIR have train.tsv and test.tsv (sentence, label), MINILM config.json, tokenizer.json and one
safetensors file. `train` prints the accuracy on DIR's test.tsv after one epoch: AdamW, weight decay
0.01 on matrices, linear schedule, clipping at 1, mean pooling, dropout 0.1, batches of like lengths.
"""

import argparse
import pathlib
import random
from collections import defaultdict


def read(path):
    return [line.rstrip("\n").split("\t") for line in open(path, encoding="utf-8")][1:]


def write(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.write("sentence\tlabel\n")
        file.writelines(f"{text}\t{label}\n" for text, label in rows)


def sentences(texts):
    """The texts of eight words or more that lie in no longer one: SST-2's phrases are parts of
    sentences."""
    found, places = [], defaultdict(set)
    for text in sorted(set(texts), key=lambda t: (-len(t), t)):
        words = text.split()
        grams = [" ".join(words[i:i + 3]) for i in range(len(words) - 2)]
        if len(grams) < 6:
            continue
        longer = set.intersection(*(places.get(g, set()) for g in grams))
        if any(f" {text} " in f" {found[i]} " for i in longer):
            continue
        for gram in grams:
            places[gram].add(len(found))
        found.append(text)
    return found


def split(args):
    rows = [(text.strip(), label) for text, label in read(args.source / "train.tsv")]
    labels = dict(rows)
    held = random.Random(1).sample(sentences([text for text, _ in rows]), 1500)
    blob = "\n".join(f" {text} " for text in held)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = [(t, l) for t, l in rows if len(t.split()) < 3 or f" {t} " not in blob]
    write(args.out / "train.tsv", kept)
    write(args.out / "test.tsv", [(text, labels[text]) for text in held])
    print(f"{len(kept)} of {len(rows)} phrases to train on, {len(held)} sentences held out")


def train(args):
    import torch
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    random.seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.minilm)
    encoder = AutoModel.from_config(AutoConfig.from_pretrained(args.minilm))
    weights, = args.minilm.glob("*.safetensors")
    encoder.load_state_dict({k: v.float() for k, v in load_file(weights).items()}, strict=False)
    net = torch.nn.ModuleDict({"encoder": encoder, "head": torch.nn.Linear(384, 2),
                               "dropout": torch.nn.Dropout(0.1)})

    def encoded(rows):
        ids = tokenizer([text for text, _ in rows], truncation=True, max_length=128)["input_ids"]
        return ids, [int(label) for _, label in rows]

    def logits(ids):
        length = max(map(len, ids))
        tokens = torch.tensor([row + [0] * (length - len(row)) for row in ids])
        mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in ids])
        states = net["encoder"](input_ids=tokens, attention_mask=mask).last_hidden_state
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return net["head"](net["dropout"](mean))

    texts, labels = encoded(read(args.data / "train.tsv"))
    order = random.sample(range(len(texts)), len(texts))
    batches = []
    for first in range(0, len(order), args.batch * 50):
        part = sorted(order[first:first + args.batch * 50], key=lambda i: len(texts[i]))
        batches += [part[k:k + args.batch] for k in range(0, len(part), args.batch)]
    random.shuffle(batches)
    steps, rising = len(batches), int(args.warmup * len(batches))
    parameters = list(net.parameters())
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.01},
         {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}], lr=args.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: (s + 1) / rising if s < rising else (steps - s) / (steps - rising))
    net.train()
    for step, batch in enumerate(batches):
        loss = torch.nn.functional.cross_entropy(logits([texts[i] for i in batch]),
                                                 torch.tensor([labels[i] for i in batch]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step} of {steps}, loss {loss.item():.4f}", flush=True)
    net.eval()
    texts, labels = encoded(read(args.data / "test.tsv"))
    right = 0
    with torch.no_grad():
        for first in range(0, len(texts), 64):
            found = logits(texts[first:first + 64]).argmax(1).tolist()
            right += sum(a == b for a, b in zip(found, labels[first:first + 64]))
    print(f"accuracy {right / len(texts):.4f}: {right} of {len(texts)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("split")
    one.add_argument("source", type=pathlib.Path)
    one.add_argument("out", type=pathlib.Path)
    one.set_defaults(run=split)
    two = commands.add_parser("train")
    two.add_argument("data", type=pathlib.Path)
    two.add_argument("minilm", type=pathlib.Path)
    two.add_argument("--seed", type=int, default=0)
    two.add_argument("--threads", type=int, default=1)
    two.add_argument("--rate", type=float, default=5e-5)
    two.add_argument("--batch", type=int, default=16)
    two.add_argument("--warmup", type=float, default=0.1)
    two.set_defaults(run=train)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
