"""How well wrong labels are told: `refine --probabilities` against cleanlab on the same answers.

    pip install cleanlab==2.9.0 scikit-learn==1.9.1
    label_quality.py answers PLANTED VECTORS.npy P.npy
    athanor refine PLANTED/pool.csv --schema PLANTED/schema.toml --probabilities P.npy --out REFINED
    label_quality.py compare PLANTED P.npy REFINED

`answers`: scikit-learn's logistic regression on sentence vectors, out of 5 stratified folds.
`compare`: AUROC of refine's score, of its label_trust and of cleanlab's label quality score
  all    good records (correct, and the one that refine lets stand for its copies) against the rest
  left   effective records against those whose only fault is a label (flip, confuse, stale), among
         those that refine's checks leave
  alone  the same, among records that have no copy in the pool, whatever refine does with them
  stand  those of them that refine takes for no copy of another record
  kinds  good records as in `all` against wrong ones of the kinds that the score's weights were not
         fitted to (confuse, contradiction)
  own    the same, the good record of a group of planted copies being the right one that the order
         in question puts first; what refine takes for a copy of another record counts as good
"""

import collections
import csv
import sys

import numpy as np

LABEL_FAULTS = {"flip", "confuse", "stale"}
UNFITTED = {"confuse", "contradiction"}
CHECKS = ("surface", "missing", "duplicate", "near_duplicate", "rule")


def rows(path):
    with open(path, encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))


def labels_of(planted):
    """Class numbers in the order of their first record; -1 = none."""
    number = {}
    return np.array([number.setdefault(label, len(number)) if label else -1
                     for label in (r["label"].strip() for r in rows(f"{planted}/pool.csv"))])


def answers(planted, vectors, out):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    y, x = labels_of(planted), np.load(vectors)
    p = np.zeros((len(y), y.max() + 1))
    for learn, judge in StratifiedKFold(5, shuffle=True, random_state=0).split(x, y):
        learn = learn[y[learn] >= 0]
        model = LogisticRegression(max_iter=1000).fit(x[learn], y[learn])
        p[judge] = model.predict_proba(x[judge])
    np.save(out, p)


def firsts(groups, correct, values):
    """Marks the correct record of each group that has the greatest value."""
    best = {}
    for i in np.flatnonzero(correct):
        if groups[i] not in best or values[i] > values[best[groups[i]]]:
            best[groups[i]] = i
    marks = np.zeros(len(groups), bool)
    marks[list(best.values())] = True
    return marks


def compare(planted, probabilities, refined):
    from cleanlab.rank import get_label_quality_scores
    from sklearn.metrics import roc_auc_score
    y, p = labels_of(planted), np.load(probabilities)
    manifest, scores = rows(f"{planted}/manifest/manifest.csv"), rows(f"{refined}/scores.csv")
    quality = np.zeros(len(y))
    quality[y >= 0] = get_label_quality_scores(y[y >= 0], p[y >= 0])
    score = np.array([float(r["score"]) for r in scores])
    trust = np.array([float(r["label_trust"] or .5) for r in scores])
    stands = np.array([float(r["uniqueness"] or 1) == 1 for r in scores])
    left = stands & np.array([r["reason"].split(":")[0] not in CHECKS for r in scores])
    size = collections.Counter(r["group"] for r in manifest)
    alone = np.array([size[r["group"]] == 1 for r in manifest])
    correct = np.array([r["correct"] == "1" for r in manifest])
    effective = np.array([r["effective"] == "1" for r in manifest])
    wrong = np.array([bool(r["kinds"]) and set(r["kinds"].split(";")) <= LABEL_FAULTS
                      for r in manifest])
    labels = (effective | wrong) & (y >= 0)
    unfitted = np.array([bool(set(r["kinds"].split(";")) & UNFITTED) for r in manifest]) & ~correct
    orders = (("score", score), ("trust", trust), ("cleanlab", quality))
    groups = [r["group"] for r in manifest]
    own = {side: firsts(groups, correct, values) for side, values in orders}
    same = lambda good: {side: good for side, _ in orders}
    for name, good, among in (("all", same(correct & stands), np.full(len(y), True)),
                              ("left", same(effective), labels & left),
                              ("alone", same(effective), labels & alone),
                              ("stand", same(effective), labels & alone & stands),
                              ("kinds", same(correct & stands), (correct & stands) | unfitted),
                              ("own", own, None)):
        told = {}
        for side, values in orders:
            here = good[side] | unfitted if among is None else among
            told[side] = roc_auc_score(good[side][here], values[here])
        print(f"{name:6}" + "".join(f" {side} {a:.4f}" for side, a in told.items()),
              f"score {told['score'] - told['cleanlab']:+.4f}",
              f"trust {told['trust'] - told['cleanlab']:+.4f} more")


if __name__ == "__main__":
    {"answers": answers, "compare": compare}[sys.argv[1]](*sys.argv[2:])
