"""Where the expected values in src/stats/ come from. Not run by cargo.

    python -m venv v && v/bin/pip install numpy scipy==1.17.1 statsmodels==0.15.0 scikit-learn==1.9.1
    v/bin/python tests/reference.py
"""

import numpy as np
from scipy.stats import binomtest, bootstrap
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

print("wilson", *[proportion_confint(k, n, 0.05, "wilson") for k, n in [(0, 10), (37, 40), (446, 500), (10, 10)]])

for gained, lost in [(9, 2), (1, 8), (5, 5), (40, 17), (0, 0)]:
    by_table = mcnemar([[30, lost], [gained, 30]], exact=True).pvalue if gained + lost else 1.0
    by_binomial = binomtest(gained, gained + lost, 0.5).pvalue if gained + lost else 1.0
    assert abs(by_table - by_binomial) < 1e-12
    print("mcnemar", gained, lost, repr(float(by_binomial)))

# Two seeds: an item's change is in halves. All sign patterns are enumerated.
changes = np.array([2, 2, 1, 1, 1, 2, -1, 2, -2, 1, 0, 0])
nonzero = changes[changes != 0]
signs = np.array(np.meshgrid(*[[-1, 1]] * len(nonzero))).reshape(len(nonzero), -1)
print("sign flip", repr(float(np.mean(np.abs(nonzero @ signs) >= abs(nonzero.sum())))))

print("holm", multipletests([0.01, 0.04, 0.03, 0.005, 0.5], method="holm")[1].tolist())

shares = [0.9, 0.8, 0.8, 0.7, 0.6, 0.55, 0.5, 0.5, 0.3, 0.1]
gold = [1, 1, 0, 1, 1, 0, 0, 1, 0, 0]
print("auc binary", repr(float(roc_auc_score(gold, shares))))
counts = [2, 0, 1, 3, 1, 1, 0, 2, 1, 1]
print("auc resampled", repr(float(roc_auc_score(gold, shares, sample_weight=counts))))
three = np.array([[5, 3, 2], [4, 4, 2], [1, 8, 1], [3, 3, 4], [2, 2, 6], [6, 2, 2], [1, 5, 4], [3, 4, 3]]) / 10
gold3 = [0, 1, 1, 2, 2, 0, 0, 1]
print("auc macro", repr(float(roc_auc_score(gold3, three, multi_class="ovr", average="macro"))))

changes = np.array([1] * 12 + [-1] * 4 + [0] * 24)
kept = bootstrap((changes,), np.mean, n_resamples=200_000, method="percentile", rng=np.random.default_rng(0))
print("bootstrap", kept.confidence_interval)
# Two languages over the same items, whose changes go together: the mean varies as much as one of them alone.
both = np.stack([changes, changes])
print("joint", bootstrap((both.mean(0),), np.mean, n_resamples=200_000, method="percentile",
                         rng=np.random.default_rng(0)).confidence_interval)
print("percentile", np.percentile([1, 2, 4, 8, 16], [2.5, 40, 97.5]).tolist())

# tests/report.rs, `tables_hold_the_records_numbers`
for right in [4, 7, 3]:
    print("wilson of 8", right, *[f"{100 * end:.6f}" for end in proportion_confint(right, 8, 0.05, "wilson")])
gold = np.array([1, 0] * 4)  # 1: positive
for name, before, after in [("en", [1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 0]),
                            ("sw", [1, 0, 1, 0, 1, 0, 1, 0], [0, 0, 1, 0, 1, 0, 1, 0])]:
    shares = [np.where(gold == np.array(right), 0.75, 0.25) for right in (before, after)]
    areas = [roc_auc_score(gold, share) for share in shares]
    draws, rng = [], np.random.default_rng(0)
    for _ in range(20_000):
        items = rng.integers(0, 8, 8)
        if 0 < gold[items].sum() < 8:
            of = [roc_auc_score(gold[items], share[items]) for share in shares]
            draws.append([np.mean(np.array(after)[items]) - np.mean(np.array(before)[items]), of[1] - of[0]])
    gained, lost = np.sum(np.array(after) > before), np.sum(np.array(after) < before)
    print(name, "auc", areas, "p", binomtest(int(gained), int(gained + lost), 0.5).pvalue,
          "intervals of change and AUC change", np.percentile(draws, [2.5, 97.5], axis=0).T.tolist())
