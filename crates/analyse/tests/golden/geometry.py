"""Measures of real hidden states by scikit-learn, SciPy and NumPy: what ../geometry.rs compares with.

    pip install numpy scipy==1.17.1 scikit-learn==1.9.1 safetensors
    python geometry.py

reads geometry.safetensors and writes geometry.json, both beside this file. Every jackknife is done by leaving an item out
and computing the measure again from the states. The states themselves are made by

    pip install torch transformers==5.23.0 gguf
    python geometry.py --states FOLDER FILE.gguf

with a GGUF file of SmolLM2-135M-Instruct and the first items of this repository's own assets/mini/ap_emotion: the means
over all tokens of a prompt ("all"), and over all but the first ("rest"), at one layer, in f16. The first token's state is
hundreds of times as long as any other's: of the mean over all tokens it leaves little but the length of the prompt.
"""
import itertools
import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent
STATES = HERE / "geometry.safetensors"
ITEMS = 24
LAYER = 12
POOLINGS = {"all": 0, "rest": 1}
# In the order of the program's languages.
HEADERS = {"en": "\nEmotion: \"", "zh": "\n情感: \"", "de": "\nEmotion: \"", "sw": "\nHisia: \""}


def make_states(folder, file):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    tensors = {}
    for language, header in HEADERS.items():
        path = HERE.parents[3] / f"assets/mini/ap_emotion/emotion_{language}40_test.json"
        tokens, rows = [], []
        for item in json.loads(path.read_text())[:ITEMS]:
            ids = tokenizer(item["input"] + header, return_tensors="pt").input_ids
            with torch.no_grad():
                hidden = model(ids, output_hidden_states=True).hidden_states
            tokens.append(ids.shape[1])
            rows.append([hidden[LAYER][0][first:].mean(0).numpy() for first in POOLINGS.values()])
        rows = np.array(rows).transpose(1, 0, 2).astype(np.float16)
        assert np.isfinite(rows).all()
        tensors[f"{language}.tokens"] = np.array(tokens)
        for pooling, values in zip(POOLINGS, rows):
            tensors[f"{language}.{pooling}"] = np.ascontiguousarray(values)
    save_file(tensors, STATES)


def components(clouds, centred):
    from sklearn.decomposition import PCA

    rows = np.concatenate([x - x.mean(0) if centred else x for x in clouds])
    fit = PCA(2, svd_solver="full")
    points = fit.fit_transform(rows)
    for k in range(2):
        largest = fit.components_[k][np.argmax(np.abs(fit.components_[k]))]
        points[:, k] *= np.sign(largest)
    return fit.explained_variance_ratio_, points.reshape(len(clouds), ITEMS, 2)


def hsic(x, y):
    """Song et al. 2012, equation 5, with linear kernels."""
    n = len(x)
    k, l = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    one = np.ones(n)
    middle = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return (np.trace(k @ l) + middle - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3))


def cosines(x, y):
    from sklearn.metrics.pairwise import cosine_similarity

    return cosine_similarity(x, y)


def cka(x, y, _):
    x, y = x - x.mean(0), y - y.mean(0)
    return hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))


def is_found(c):
    others = c - 9 * np.eye(len(c))
    return (np.diag(c) > others.max(0)) & (np.diag(c) > others.max(1))


def retrieval(x, y, _):
    return np.mean(is_found(cosines(x, y)))


def cosine(x, y, _):
    return np.mean(np.diag(cosines(x, y)))


def cosine_centred(x, y, _):
    return cosine(x - x.mean(0), y - y.mean(0), None)


def centroid(x, y, _):
    """The square, without its bias: the mean product of two different items' differences."""
    n, d = len(x), x - y
    products = d @ d.T
    square = (products.sum() - np.trace(products)) / (n * (n - 1))
    spread = (((x - x.mean(0)) ** 2).sum() + ((y - y.mean(0)) ** 2).sum()) / (2 * (n - 1))
    return square / spread


def length(x, y, tokens):
    from sklearn.linear_model import LinearRegression

    regressors, c = np.log(tokens), np.diag(cosines(x, y))
    share = LinearRegression().fit(regressors, c).score(regressors, c)
    n, k = regressors.shape
    return 1 - (1 - share) * (n - 1) / (n - k - 1)


MEASURES = {"cka": cka, "retrieval": retrieval, "cosine": cosine, "cosine-centred": cosine_centred,
            "centroid": centroid, "length": length}


def pearson(x, y, _):
    return np.corrcoef(x, y)[0, 1]


def jackknife(measure, x, y, tokens):
    """The measure, what it is without each item, its variance by that, and the quantile of t."""
    from scipy import stats

    n = len(x)
    without = np.array([measure(*(np.delete(values, item, 0) for values in (x, y, tokens))) for item in range(n)])
    variance = (n - 1) / n * ((without - without.mean()) ** 2).sum()
    return measure(x, y, tokens), without, variance, stats.t.ppf(0.975, n - 1)


def estimate(name, x, y, tokens):
    """Value, low, high, and the measure without each item."""
    measure = MEASURES.get(name, pearson)
    value, without, variance, t = jackknife(measure, x, y, tokens)
    n, error = len(x), np.sqrt(variance)
    if name == "centroid":
        root = lambda v: np.sign(v) * np.sqrt(abs(v))
        return root(value), root(value - t * error), root(value + t * error), without
    if name == "length":
        half = t * np.sqrt(variance + 4 / ((n + 1) * (n - 3)))
        return value, value - half, min(value + half, 1), without
    if name == "retrieval":
        # the shares that are t errors of their own away (Wilson 1927), and each item left out with its rivals held
        ends = np.roots([1 + t * t / n, -2 * value - t * t / n, value * value])
        return value, min(ends), max(ends), (n * value - is_found(cosines(x, y))) / (n - 1)
    half = t * error / (1 - value ** 2)
    return value, np.tanh(np.arctanh(value) - half), np.tanh(np.arctanh(value) + half), without


def null(name, x, y):
    if name == "retrieval":
        c = cosines(x, y)
        best = [(i, j) for i in range(len(c)) for j in range(len(c))
                if c[i, j] > np.delete(c[i], j).max() and c[i, j] > np.delete(c[:, j], i).max()]
        return len(best) / len(c) ** 2
    if name.startswith("cosine"):
        c = cosines(x, y) if name == "cosine" else cosines(x - x.mean(0), y - y.mean(0))
        return c[~np.eye(len(c), dtype=bool)].mean()
    return None if name == "centroid" else 0


def change(name, before, after):
    """The jackknife of the difference, with the variance that it does not see near nothing."""
    from scipy import stats

    difference, n = after[0] - before[0], len(before[3])
    least = {"retrieval": 1 / n ** 2, "length": 4 / ((n + 1) * (n - 3))}.get(name, 0)
    root = lambda v: np.sign(v) * np.sqrt(abs(v))
    without = root(after[3]) - root(before[3]) if name == "centroid" else after[3] - before[3]
    variance = (n - 1) ** 2 / n * without.var(ddof=1) + least
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(variance)
    return [difference - half, difference + half]


def main():
    from scipy import stats

    states = load_file(STATES)
    result = {"components": [], "pairs": [], "changes": []}
    estimates = {}
    for pooling in POOLINGS:
        clouds = [states[f"{language}.{pooling}"].astype(np.float64) for language in HEADERS]
        first = {}
        for name, centred in ("pearson", False), ("pearson-centred", True):
            explained, points = components(clouds, centred)
            first[name] = points[:, :, 0]
            result["components"].append({"pooling": pooling, "centred": centred, "explained": explained.tolist(),
                                         "points": dict(zip(HEADERS, points.round(5).tolist()))})
        for a, b in itertools.combinations(range(len(HEADERS)), 2):
            languages = [list(HEADERS)[a], list(HEADERS)[b]]
            tokens = np.stack([states[f"{language}.tokens"] for language in languages], 1)
            for name in ["pearson", "pearson-centred", *MEASURES]:
                x, y = (first[name][a], first[name][b]) if name in first else (clouds[a], clouds[b])
                found = estimate(name, x, y, tokens)
                estimates[pooling, a, b, name] = found
                low, high = stats.pearsonr(x, y).confidence_interval() if name in first else found[1:3]
                result["pairs"].append([pooling, *languages, name, found[0], low, high, null(name, x, y)])
    for (pooling, a, b, name), found in estimates.items():
        if pooling == "all":
            other = estimates["rest", a, b, name]
            languages = [list(HEADERS)[a], list(HEADERS)[b]]
            result["changes"].append([*languages, name, found[0], other[0], *change(name, found, other)])
    line = lambda record: json.dumps(record, default=float)
    parts = (f'"{kind}": [\n' + ",\n".join(map(line, records)) + "\n]" for kind, records in result.items())
    (HERE / "geometry.json").write_text("{" + ",\n".join(parts) + "}\n")


if __name__ == "__main__":
    make_states(*sys.argv[2:]) if sys.argv[1:2] == ["--states"] else main()
