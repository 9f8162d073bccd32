#!/usr/bin/env python3
"""What cleanlab and datatrove remove from a planted pool, and at what cost in CPU seconds.

    pip install cleanlab==2.9.0 datatrove==0.10.1 scikit-learn==1.9.1 \
        xxhash==3.5.0 fasteners
    bench/peers/refine_peers.py PLANTED --athanor build/release/athanor [--embeddings X.npy]

PLANTED is a directory of `athanor plant` (pool.csv, schema.toml, manifest/manifest.csv). Both sides
read the same pool.csv; only the evaluation reads the manifest. The peers' pipeline:
  datatrove's MinHash (126 hashes, 5-grams of characters, 18 bands of 7; one of a cluster stays) after
  a check for empty texts and for texts of fewer letters than other characters;
  cleanlab's find_label_issues on out-of-fold probabilities of scikit-learn's logistic regression
  (tf-idf of words and pairs, or the embeddings where they are given).
CPU seconds are user + system of the whole process, children included; `work` leaves out the
imports. With --minhash build/release/bench/minhash_bench the signing of that program is set
against datatrove's on the same texts, each with what it needs to write or keep the signatures.
A defect counts as removed when a record that is no effective one was removed; a copy's
group counts as kept when any right copy was kept. One JSON object a side on stdout.
"""
import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile


def cpu_seconds(who=resource.RUSAGE_SELF):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def quality(manifest, kept):
    """Defects removed, precision, recall, F1 of removing, and the effective share of what is kept."""
    effective = {row["group"] for row in manifest if row["effective"] == "1"}
    stands, good = set(), [False] * len(manifest)
    # The first kept right copy of an effective group stands for it; else its effective record does.
    for i, row in enumerate(manifest):
        if kept[i] and row["correct"] == "1" and row["group"] in effective - stands:
            stands.add(row["group"])
            good[i] = True
    kept_good = len(stands)
    for i, row in enumerate(manifest):
        if row["effective"] == "1" and row["group"] not in stands:
            good[i] = True
    bad = good.count(False)
    removed = sum(1 for k in kept if not k)
    right = sum(1 for g, k in zip(good, kept) if not g and not k)
    precision, recall = right / max(removed, 1), right / max(bad, 1)
    return {
        "defects": bad, "removed": removed, "defects_removed": right,
        "precision": round(precision, 4), "recall": round(recall, 4),
        "f1": round(2 * precision * recall / max(precision + recall, 1e-12), 4),
        "effective_share": round(kept_good / max(sum(kept), 1), 4),
        "retention": round(kept_good / max(len(effective), 1), 4),
    }


def datatrove_copies(texts, folder):
    from datatrove.data import Document
    from datatrove.pipeline.dedup import (MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster,
                                          MinhashDedupSignature)
    from datatrove.utils.hashing import HashConfig
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Characters(WordTokenizer):
        """datatrove joins what this returns by blanks and hashes runs of 5 of them."""

        def word_tokenize(self, text):
            return list(text)

        def sent_tokenize(self, text):
            return [text]

        def span_tokenize(self, text):
            return [(0, len(text))]

    config = MinhashConfig(n_grams=5, num_buckets=18, hashes_per_bucket=7,
                           hash_config=HashConfig(precision=64))
    documents = [Document(text=text, id=str(i)) for i, text in enumerate(texts)]
    signatures = MinhashDedupSignature(output_folder=f"{folder}/sig", config=config,
                                        language=Characters())
    begun = cpu_seconds()
    signatures.run(documents)
    signing = cpu_seconds() - begun
    buckets = MinhashDedupBuckets(input_folder=f"{folder}/sig", output_folder=f"{folder}/buckets",
                                  config=config)
    for rank in range(config.num_buckets):
        buckets.run(None, rank, config.num_buckets)
    MinhashDedupCluster(input_folder=f"{folder}/buckets", output_folder=f"{folder}/ids",
                        config=config).run(None, 0, 1)
    copies = set()
    path = f"{folder}/ids/000000.remove"
    if os.path.exists(path):
        with open(path, "rb") as file:
            data = file.read()
        copies = {int.from_bytes(data[k:k + 4], "little") for k in range(0, len(data), 4)}
    return copies, signing


def peers(directory, embeddings):
    import numpy as np
    from cleanlab.filter import find_label_issues
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    import datatrove.pipeline.dedup  # noqa: F401
    imported = cpu_seconds()
    pool = read_csv(f"{directory}/pool.csv")
    texts = [row["text"] for row in pool]
    kept = []
    for row in pool:
        text = row["text"].strip()
        letters = sum(c.isalnum() for c in text)
        symbols = sum(not c.isalnum() and not c.isspace() for c in text)
        kept.append(bool(row["label"]) and text not in ("", "N/A") and letters >= symbols)
    rows = [i for i, k in enumerate(kept) if k]
    signed = [texts[i] for i in rows]
    with tempfile.TemporaryDirectory() as folder:
        copies, signing = datatrove_copies(signed, folder)
    rows = [i for j, i in enumerate(rows) if j not in copies]
    names = sorted({pool[i]["label"] for i in rows})
    labels = np.array([names.index(pool[i]["label"]) for i in rows])
    if embeddings:
        x = np.load(embeddings)[rows]
    else:
        x = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(
            [texts[i] for i in rows])
    p = cross_val_predict(LogisticRegression(max_iter=200), x, labels, cv=5,
                          method="predict_proba")
    wrong = find_label_issues(labels, p, n_jobs=1)
    kept = [False] * len(pool)
    for i, bad in zip(rows, wrong):
        kept[i] = not bad
    total = cpu_seconds() + cpu_seconds(resource.RUSAGE_CHILDREN)
    return kept, {"side": "cleanlab+datatrove", "cpu_seconds": round(total, 3),
                  "work_seconds": round(total - imported, 3),
                  "minhash_records_per_second": round(len(signed) / max(signing, 1e-9))}, signed


def ours(directory, athanor, embeddings, options):
    with tempfile.TemporaryDirectory() as out:
        command = [athanor, "refine", f"{directory}/pool.csv", "--schema",
                   f"{directory}/schema.toml", "--out", out, "--threads", "1"] + options
        if embeddings:
            command += ["--embeddings", embeddings]
        before = cpu_seconds(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        used = cpu_seconds(resource.RUSAGE_CHILDREN) - before
        kept = [row["keep"] == "1" for row in read_csv(f"{out}/scores.csv")]
    return kept, {"side": "athanor refine", "cpu_seconds": round(used, 3),
                  "work_seconds": round(used, 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("planted")
    parser.add_argument("--athanor", required=True)
    parser.add_argument("--embeddings")
    parser.add_argument("--minhash", help="the program minhash_bench")
    parser.add_argument("options", nargs="*", help="further options of refine, after --")
    args = parser.parse_args()
    manifest = read_csv(f"{args.planted}/manifest/manifest.csv")
    results = []
    # The peers' imports and work are one process's, so theirs comes first.
    kept, facts, signed = peers(args.planted, args.embeddings)
    for kept, facts in ((kept, facts),
                        ours(args.planted, args.athanor, args.embeddings, args.options)):
        facts.update(quality(manifest, kept))
        facts["defects_per_cpu_second"] = round(facts["defects_removed"] / facts["cpu_seconds"], 1)
        facts["defects_per_work_second"] = round(
            facts["defects_removed"] / max(facts["work_seconds"], 1e-9), 1)
        results.append(facts)
        print(json.dumps(facts), flush=True)
    theirs, own = results
    if args.minhash:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
            file.writelines(" ".join(text.split()) + "\n" for text in signed)
            file.flush()
            facts = json.loads(subprocess.run([args.minhash, file.name], check=True,
                                              capture_output=True, text=True).stdout)
        facts["minhash_ratio"] = round(facts["minhash_records_per_second"]
                                       / theirs["minhash_records_per_second"], 1)
        print(json.dumps(facts))
    print(json.dumps({
        "efficiency_ratio": round(own["defects_per_cpu_second"] / theirs["defects_per_cpu_second"], 2),
        "efficiency_ratio_without_imports": round(
            own["defects_per_work_second"] / theirs["defects_per_work_second"], 2),
        "f1_at_least_as_good": own["f1"] >= theirs["f1"]}))


if __name__ == "__main__":
    sys.exit(main())
