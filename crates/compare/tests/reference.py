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
pairs = []
for a, b in [(0, 1), (0, 2), (1, 2)]:
    of = np.isin(gold3, [a, b])
    pairs.append(roc_auc_score(np.array(gold3)[of] == a, (np.array(three)[:, a] / (np.array(three)[:, a] + np.array(three)[:, b]))[of]))
print("auc pairs", repr(float(np.mean(pairs))))

changes = np.array([1] * 12 + [-1] * 4 + [0] * 24)
kept = bootstrap((changes,), np.mean, n_resamples=200_000, method="percentile", rng=np.random.default_rng(0))
print("bootstrap", kept.confidence_interval)
# Two languages over the same items, whose changes go together: the mean varies as much as one of them alone.
both = np.stack([changes, changes])
print("joint", bootstrap((both.mean(0),), np.mean, n_resamples=200_000, method="percentile",
                         rng=np.random.default_rng(0)).confidence_interval)
print("percentile", np.percentile([1, 2, 4, 8, 16], [2.5, 40, 97.5]).tolist())

# Distributions (src/stats/distribution.rs)
from scipy.stats import binom, entropy, norm, t as student

print("distribution", *[repr(float(v)) for v in [
    norm.ppf(0.8), norm.cdf(-2.5), student.ppf(0.975, 1), student.ppf(0.975, 2.5), student.ppf(0.975, 9),
    student.ppf(0.975, 499), binom.pmf(4, 20, 0.3), binom.cdf(4, 20, 0.3), binom.pmf(17, 57, 0.5)]])

# Mid-p and Benjamini-Hochberg (paired.rs)
for gained, lost in [(9, 2), (1, 8), (5, 5), (40, 17)]:
    exact = binomtest(gained, gained + lost, 0.5).pvalue
    print("mid-p", gained, lost, repr(float(exact - binom.pmf(min(gained, lost), gained + lost, 0.5))))
sums = np.abs(nonzero @ signs)
print("sign flip mid", repr(float(np.mean(sums >= abs(nonzero.sum())) - np.mean(sums == abs(nonzero.sum())) / 2)))
for p_values in [[0.01, 0.04, 0.03, 0.005, 0.5], [0.02, 0.02, 0.8, 0.02, 1.0, 0.8]]:
    for method in ["fdr_bh", "holm"]:
        print(method, multipletests(p_values, method=method)[1].tolist())

# Clusters (clusters.rs): least squares on a constant with cluster-robust errors
import statsmodels.api as sm

right = np.array([1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1.0])
groups = [0, 0, 0, 3, 3, 5, 5, 5, 8, 8, 10, 10]
fit = sm.OLS(right, np.ones(12)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
error = fit.bse[0]
print("cluster", right.mean(), repr(float(error)), "design effect", repr(float(error**2 / (right.var(ddof=1) / 12))),
      [repr(float(right.mean() + sign * student.ppf(0.975, 4) * error)) for sign in (-1, 1)])

# Tails of the expanded percentile interval (resample.rs)
for n in [8, 10, 500]:
    print("tail", n, repr(float(norm.cdf(-np.sqrt(n / (n - 1)) * student.ppf(0.975, n - 1)))))
draws = np.random.default_rng(0).choice(changes, (200_000, 40)).mean(1)
tail = norm.cdf(-np.sqrt(40 / 39) * student.ppf(0.975, 39))
print("expanded", np.percentile(draws, [100 * tail, 100 * (1 - tail)]))

# Components of variance (components.rs): mean squares of statsmodels' analysis of variance
import pandas as pd
from statsmodels.formula.api import ols


def noise(s, e, i):
    return ((s * 7 + e * 11 + i * 5 + s * e * 3 + s * i * 2 + e * i * 9) % 13) / 10 + s * 0.3 - e * 0.2 + (i % 4) * 0.5


rows = pd.DataFrame([(s, e, i, noise(s, e, i)) for s in range(3) for e in range(2) for i in range(6)], columns=list("seiy"))
names = {"C(s)": "s", "C(e)": "e", "C(i)": "i", "C(s):C(e)": "se", "C(s):C(i)": "si", "C(e):C(i)": "ei"}
fit = ols("y ~ (C(s) + C(e) + C(i)) ** 2", rows).fit()
table = sm.stats.anova_lm(fit)
ms = {names[k]: table.loc[k, "mean_sq"] for k in names} | {"sei": table.loc["Residual", "mean_sq"]}
df = {names[k]: table.loc[k, "df"] for k in names} | {"sei": table.loc["Residual", "df"]}
a, b, n = 3, 2, 6
seed = (ms["s"] - ms["se"] - ms["si"] + ms["sei"]) / (b * n)
exemplars = (ms["e"] - ms["se"] - ms["ei"] + ms["sei"]) / (a * n)
items = (ms["i"] - ms["si"] - ms["ei"] + ms["sei"]) / (a * b)
rest = (ms["se"] - ms["sei"]) / n + (ms["si"] - ms["sei"]) / b + (ms["ei"] - ms["sei"]) / a + ms["sei"]
variance = (ms["s"] + ms["e"] + ms["i"]) / (a * b * n)
free = variance**2 / sum((ms[k] / (a * b * n)) ** 2 / df[k] for k in "sei")
half = student.ppf(0.975, free) * np.sqrt(variance)
print("three-way", [float(v) for v in (seed, exemplars, items, rest, rows.y.mean() - half, rows.y.mean() + half)])

rows = pd.DataFrame([(s, i, noise(s, 0, i)) for s in range(4) for i in range(8)], columns=list("siy"))
table = sm.stats.anova_lm(ols("y ~ C(s) + C(i)", rows).fit())
s, i, r = table["mean_sq"]
variance, free = (s + i) / 32, (s + i) ** 2 / (s**2 / 3 + i**2 / 7)
half = student.ppf(0.975, free) * np.sqrt(variance)
print("two-way", [float(v) for v in ((s - r) / 8, (i - r) / 4, r, rows.y.mean() - half, rows.y.mean() + half)])
# restricted maximum likelihood agrees where no component is at its border
mixed = sm.MixedLM(rows.y, np.ones(32), groups=np.ones(32), exog_vc={
    "s": {1.0: pd.get_dummies(rows.s).to_numpy(float)}, "i": {1.0: pd.get_dummies(rows.i).to_numpy(float)}}).fit()
print("two-way, REML", mixed.vcomp.tolist(), mixed.scale)


# Power of the exact McNemar test (power.rs): sums over all numbers of discordant items
def power(n, psi, delta):
    total, theta = 0, (1 + delta / psi) / 2
    for d in range(n + 1):
        x = np.arange(d + 1)
        p = np.minimum(1, 2 * binom.cdf(np.minimum(x, d - x), d, 0.5))
        total += binom.pmf(d, n, psi) * binom.pmf(x, d, theta)[p <= 0.05].sum()
    return float(total)


print("power", [power(100, 0.2, 0.1), power(500, 0.1, 0.04), power(600, 0.3, 0.0)])


# RankC (agreement.rs), after the formula of arXiv 2310.10378
def rank_c(a, b):
    n = len(a)
    weights = np.exp(np.arange(n, 0, -1)) / np.exp(np.arange(n, 0, -1)).sum()
    return float(sum(w * len(set(a[:j]) & set(b[:j])) / j for j, w in enumerate(weights, 1)))


print("rankc", [rank_c(*pair) for pair in [([0, 1], [1, 0]), ([0, 1, 2], [1, 0, 2]), ([0, 1, 2], [2, 1, 0]),
                                           ([0, 1, 2, 3], [3, 1, 0, 2])]])
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

answers = np.array([[0, 1, 2, 1, 0, 2], [0, 1, 1, 1, 2, 2], [0, 0, 2, 1, 0, 1]])
print("kappa", float(fleiss_kappa(aggregate_raters(answers.T)[0])))

# Labels (labels.rs) and batch calibration (calibration.rs)
from sklearn.metrics import confusion_matrix

print("confusion", confusion_matrix([0, 0, 1, 2, 2, 2], [0, 1, 1, 0, 2, 2]).tolist(),
      "entropy", repr(float(entropy([0.5, 0.3, 0.2], base=2))))
scores = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.45, 0.35, 0.2], [0.7, 0.1, 0.2], [0.5, 0.2, 0.3]])
shares = scores / scores.sum(1, keepdims=True)
print("batch", shares.mean(0).tolist(), (np.log(shares) - np.log(shares.mean(0))).argmax(1).tolist())

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
          "intervals of change and AUC change",
          np.percentile(draws, [100 * (tail := norm.cdf(-np.sqrt(8 / 7) * student.ppf(0.975, 7))), 100 * (1 - tail)],
                        axis=0).T.tolist())
