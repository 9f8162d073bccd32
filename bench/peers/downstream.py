#!/usr/bin/env python3
"""What a refined text pool is worth to a student: macro F1 on a test set that nothing was chosen on.

    pip install torch scikit-learn
    bench/peers/downstream.py TEST.csv PLANTED REFINED [PLANTED REFINED]...

TEST.csv has the columns text and label; PLANTED is a directory of `athanor plant`, REFINED what
`athanor refine` made of its pool. The student is an MLP with 64 hidden units on tf-idf (words and
pairs, fitted to the pool's texts), AdamW, batch 64, the same number of steps in every arm. Arms: all
records of the pool, a random subset as large as the golden one, golden, generalised cross-entropy
(q = 0.7) on all records, the truly effective records. One JSON object a pool, then the means with
95% intervals of the paired differences to `raw`.
"""
import csv
import json
import sys

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score

STEPS, BATCH, HIDDEN, Q = 1500, 64, 64, 0.7


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def student(x, y, x_test, y_test, classes, robust, seed):
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.ReLU(),
                              torch.nn.Linear(HIDDEN, classes))
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS)
    order = np.random.RandomState(seed)
    for _ in range(STEPS):
        rows = order.randint(0, x.shape[0], BATCH)
        p = net(torch.from_numpy(x[rows].toarray())).log_softmax(1)
        own = p[torch.arange(BATCH), torch.from_numpy(y[rows])]
        loss = ((1 - (own * Q).exp()) / Q if robust else -own).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        guess = net(torch.from_numpy(x_test.toarray())).argmax(1).numpy()
    return f1_score(y_test, guess, average="macro")


def arms(test, planted, refined, seed):
    pool, manifest = read_csv(f"{planted}/pool.csv"), read_csv(f"{planted}/manifest/manifest.csv")
    keep = np.array([row["keep"] == "1" for row in read_csv(f"{refined}/scores.csv")])
    effective = np.array([row["effective"] == "1" for row in manifest])
    names = sorted({row["label"] for row in test})
    labels = np.array([names.index(row["label"]) if row["label"] in names else -1 for row in pool])
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32, min_df=2)
    x = vectorizer.fit_transform([row["text"] for row in pool]).tocsr()
    x_test = vectorizer.transform([row["text"] for row in test]).tocsr()
    y_test = np.array([names.index(row["label"]) for row in test])
    usable = np.flatnonzero(labels >= 0)
    subset = np.random.RandomState(seed).permutation(usable)[:(keep & (labels >= 0)).sum()]
    rows = {"raw": usable, "random subset": subset, "golden": np.flatnonzero(keep & (labels >= 0)),
            "raw, robust loss": usable, "effective": np.flatnonzero(effective)}
    return {name: round(float(student(x[r], labels[r], x_test, y_test, len(names),
                                      name.endswith("robust loss"), seed)), 4)
            for name, r in rows.items()}


def main():
    if len(sys.argv) < 4 or len(sys.argv) % 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    test = read_csv(sys.argv[1])
    results = []
    for k, (planted, refined) in enumerate(zip(sys.argv[2::2], sys.argv[3::2])):
        results.append(arms(test, planted, refined, k))
        print(json.dumps(results[-1]), flush=True)
    for name in results[0]:
        values = np.array([r[name] for r in results])
        gain = values - np.array([r["raw"] for r in results])
        # 97.5% points of Student's t for two to ten pools, that for eleven beyond.
        t = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
        point = t[len(gain) - 2] if 2 <= len(gain) <= 10 else 2.23
        half = point * gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else float("nan")
        print(json.dumps({"arm": name, "f1": round(values.mean(), 4), "gain": round(gain.mean(), 4),
                          "interval": [round(gain.mean() - half, 4), round(gain.mean() + half, 4)]}))


if __name__ == "__main__":
    sys.exit(main())
