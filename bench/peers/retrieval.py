#!/usr/bin/env python3
"""Retrieval of duplicates by `athanor refine --similar 10` against scikit-learn's tf-idf cosine.

    pip install scikit-learn
    bench/peers/retrieval.py TABLE.csv PAIRS.csv REFINED --id "Issue id" --text Summary,Description

PAIRS.csv holds ids a,b without header: b is looked for among the ten records most similar to a, of
all others. Prints recall@10 of each side, of two halves of the pairs too (what was chosen, was
chosen on `first half`), and 95% intervals of the difference by a bootstrap over unordered pairs,
since a,b and b,a are no two observations.
"""
import argparse
import csv
import sys

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

K, DRAWS = 10, 10_000


def hits_of_tfidf(texts, pairs, **options):
    x = TfidfVectorizer(**options).fit_transform(texts)
    found = []
    for a, b in pairs:
        similarity = (x @ x[a].T).toarray().ravel()
        similarity[a] = -1
        found.append((similarity > similarity[b]).sum() < K)
    return np.array(found, float)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("pairs")
    parser.add_argument("refined")
    parser.add_argument("--id", required=True)
    parser.add_argument("--text", required=True)
    o = parser.parse_args()
    csv.field_size_limit(sys.maxsize)
    with open(o.table, newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.DictReader(file))
    row_of = {row[o.id]: i for i, row in enumerate(rows)}
    with open(o.pairs, newline="", encoding="utf-8") as file:
        ids = sorted({(row[0], row[1]) for row in csv.reader(file)})
    pairs = [(row_of[a], row_of[b]) for a, b in ids]
    texts = ["\n".join(row[c] or "" for c in o.text.split(",")) for row in rows]
    with open(f"{o.refined}/similar.csv", newline="", encoding="utf-8") as file:
        listed = {(row["id"], row["other_id"]) for row in csv.DictReader(file)
                  if int(row["rank"]) <= K}
    ours = np.array([pair in listed for pair in ids], float)
    sides = {"refine --similar": ours, "tf-idf": hits_of_tfidf(texts, pairs),
             "tf-idf, sublinear, stop words": hits_of_tfidf(texts, pairs, sublinear_tf=True,
                                                            stop_words="english")}
    unordered = sorted({tuple(sorted(pair)) for pair in pairs})
    place = {pair: i for i, pair in enumerate(unordered)}
    cluster = np.array([place[tuple(sorted(pair))] for pair in pairs])
    first = np.zeros(len(unordered), bool)
    first[np.random.RandomState(7).permutation(len(unordered))[:len(unordered) // 2]] = True
    draws = np.random.RandomState(0).randint(0, len(unordered), (DRAWS, len(unordered)))
    size = np.bincount(cluster, minlength=len(unordered))
    print(f"{len(pairs)} pairs, {len(unordered)} unordered, {len(rows)} records")
    for name, hit in sides.items():
        more = np.bincount(cluster, ours - hit, len(unordered))
        low, high = np.quantile(more[draws].sum(1) / size[draws].sum(1), [.025, .975])
        print(f"{name:30s} recall@{K} {hit.mean():.3f}  first half {hit[first[cluster]].mean():.3f}"
              f"  second half {hit[~first[cluster]].mean():.3f}"
              f"  ours - this {(ours - hit).mean():+.3f} [{low:+.3f}, {high:+.3f}]")


if __name__ == "__main__":
    main()
