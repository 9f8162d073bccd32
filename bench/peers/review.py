"""Of the first 100 and 200 rows of `refine --review N`: how many decisions a person would turn over.

review.py PLANTED REFINED [PLANTED REFINED ...]; means over the pools. A kept record is wrong where
the manifest calls it incorrect, a dropped one where it is correct and none of its group was kept.
Beside it the same share of all records that the score decided, which a random queue would have.
"""

import csv
import sys


def rows(path):
    with open(path, encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))


def shares(planted, refined):
    manifest = rows(f"{planted}/manifest/manifest.csv")
    scores = rows(f"{refined}/scores.csv")
    kept = [s["keep"] == "1" for s in scores]
    correct = [m["correct"] == "1" for m in manifest]
    served = {m["group"] for m, k, c in zip(manifest, kept, correct) if k and c}
    wrong = [not c if k else c and m["group"] not in served
             for m, k, c in zip(manifest, kept, correct)]
    queue = [int(r["row"]) for r in rows(f"{refined}/review.csv")]
    decided = [i for i, s in enumerate(scores)
               if s["reason"] in ("", "label") or s["reason"].startswith("score")]
    out = {"all": sum(wrong[i] for i in decided) / len(decided)}
    for n in (100, 200):
        first = queue[:n]
        out[f"first {n}"] = sum(wrong[i] for i in first) / len(first)
        out[f"first {n}, kept"] = sum(kept[i] for i in first) / len(first)
        out[f"first {n}, incorrect"] = sum(not correct[i] for i in first) / len(first)
    return out


def main():
    pairs = list(zip(sys.argv[1::2], sys.argv[2::2]))
    results = [shares(*pair) for pair in pairs]
    for name in results[0]:
        values = [r[name] for r in results]
        print(f"{name:24s} {sum(values) / len(values):.3f}  {min(values):.3f} to {max(values):.3f}")


if __name__ == "__main__":
    main()
