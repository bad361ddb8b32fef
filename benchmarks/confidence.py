"""Calibrate the confidence of answers: ask lab-dev, judge each answer, fit a logistic regression over a few signs.

    python benchmarks/confidence.py                                     # ask, judge, fit and print; writes nothing
    python benchmarks/confidence.py --model mnemosyne-1.5b --out signs.jsonl   # ask and judge
    python benchmarks/confidence.py --model mnemosyne-1.5b --votes 8 --out voted.jsonl
    python benchmarks/confidence.py --fit signs.jsonl voted.jsonl …     # fit and write
    python benchmarks/confidence.py --plot docs/confidence.svg          # draw what is written

With --fit, the fit is written to src/mnemosyne/data/grounding/confidence.json with its recipe and its reliability,
which is measured by ten-fold cross-validation: no answer judges the coefficients that it made. Coefficients belong to
the adapter that gave the answers, by sha256; answers of whole models can be printed and not written. Answers of one
draft and voted ones are fitted apart; a fit replaces that of its kind and adapter and leaves the others.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

TODAY = date(2026, 6, 15)
SEED = 101
PENALTY = 1.0
"""L2, on every coefficient but the bias."""
FOLDS = 10
TARGET = Path(__file__).parent.parent / "src" / "mnemosyne" / "data" / "grounding" / "confidence.json"


def ask(model: str, out: Path, limit: int, votes: int) -> None:
    """Ask lab-dev and write, for each answer, its signs and whether its rows are those of the gold.

    What an interrupted run has written is not asked again.
    """
    from mnemosyne import guard, lims, settings
    from mnemosyne.assistant import Assistant, Options, signs_of
    from mnemosyne.databases import open_database
    from mnemosyne.engines import open_engine
    from mnemosyne.evaluation.predicting import mend
    from mnemosyne.guard.query import SafeQuery
    from mnemosyne.results import Result, same

    text = (files("mnemosyne.data") / "sets" / "lab-dev.jsonl").read_text(encoding="utf-8")
    mend(out)
    known = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
    if any((row["model"], row["votes"]) != (model, votes) for row in known):
        raise SystemExit(f"{out} holds answers of another model or with another number of votes.")
    done = {row["id"] for row in known}
    examples = [row for row in (json.loads(line) for line in text.splitlines()[:limit]) if row["id"] not in done]
    with tempfile.TemporaryDirectory() as folder, out.open("a", encoding="utf-8") as sink:
        url = f"sqlite:///{folder}/lab.db"
        lims.create(url, seed=SEED, scale=0.5, today=TODAY)
        database = open_database(url)
        schema = database.schema()
        engine = open_engine(model, settings.load())
        if any(row["adapter_sha256"] != engine.adapter_sha256 for row in known):
            raise SystemExit(f"{out} holds answers of another adapter that was called {model}.")
        with Assistant.over(engine, database, options=Options(today=TODAY, votes=votes)) as assistant:
            for index, answer in assistant.ask_many([example["question"] for example in examples]):
                gold = guard.check(examples[index]["sql"], schema, target="sqlite", today=TODAY)
                assert isinstance(gold, SafeQuery), gold
                expected = database.run(gold)
                assert isinstance(expected, Result), expected
                if answer.result is None:
                    continue  # no answer, no confidence
                signs = signs_of(answer)
                row = {
                    "id": examples[index]["id"], "right": same(expected, answer.result),
                    "inputs": signs.inputs(), "names": signs.names, "votes": votes,
                    "model": model, "adapter_sha256": engine.adapter_sha256, "tier": examples[index]["tier"],
                }  # fmt: skip
                sink.write(json.dumps(row) + "\n")
                sink.flush()


def fit(inputs: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Coefficients of the penalised logistic regression, by Newton's method."""
    weights = np.zeros(inputs.shape[1])
    penalty = np.full(inputs.shape[1], PENALTY)
    penalty[0] = 1e-6
    for _ in range(50):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (right - chance) - penalty * weights
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def cross_validated(inputs: np.ndarray, right: np.ndarray) -> np.ndarray:
    """For every answer the probability by coefficients that never saw it."""
    order = np.random.default_rng(0).permutation(len(right))
    chances = np.zeros(len(right))
    for fold in range(FOLDS):
        held = order[fold::FOLDS]
        kept = np.setdiff1d(order, held)
        chances[held] = 1 / (1 + np.exp(-inputs[held] @ fit(inputs[kept], right[kept])))
    return chances


def reliability(chances: np.ndarray, right: np.ndarray) -> dict[str, object]:
    """Brier score, calibration error in five bins of equal count, and the share to accept at 95 % precision."""
    order = np.argsort(-chances)
    precision = np.cumsum(right[order]) / np.arange(1, len(right) + 1)
    good = np.nonzero(precision >= 0.95)[0]
    bins = np.array_split(order[::-1], 5)
    rows = [
        {"said": round(float(chances[b].mean()), 3), "right": round(float(right[b].mean()), 3), "n": len(b)}
        for b in bins
    ]
    error = sum(len(b) * abs(float(chances[b].mean() - right[b].mean())) for b in bins) / len(right)
    wins = (chances[right == 1][:, None] > chances[right == 0][None, :]).mean()
    return {
        "answers": len(right), "right": round(float(right.mean()), 3),
        "brier": round(float(((chances - right) ** 2).mean()), 3), "ece": round(error, 3), "auc": round(float(wins), 3),
        "accepted_at_95": round(float((good[-1] + 1) / len(right)) if len(good) else 0.0, 3), "bins": rows,
    }  # fmt: skip


def fitted(paths: list[Path]) -> dict[str, list[dict[str, Any]]]:
    """The coefficients that fit all judged answers, one fit for each kind and adapter, with recipe and reliability."""
    rows = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((_kind(row["votes"]), row.get("adapter_sha256") or ""), []).append(row)
    found: dict[str, list[dict[str, Any]]] = {}
    for (kind, _), group in groups.items():
        found.setdefault(kind, []).append(fitted_rows(group))
    return found


def _kind(votes: int) -> str:
    return "single" if votes == 1 else "voted"


def fitted_rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same for answers of one kind and one adapter."""
    inputs = np.array([row["inputs"] for row in rows])
    right = np.array([float(row["right"]) for row in rows])
    return {
        "coefficients": dict(zip(rows[0]["names"], (round(float(w), 4) for w in fit(inputs, right)), strict=True)),
        "recipe": {
            "set": "lab-dev", "model": rows[0]["model"], "adapter_sha256": rows[0].get("adapter_sha256") or "",
            "votes": rows[0]["votes"], "population": f"seed {SEED}, scale 0.5", "today": str(TODAY),
            "penalty": PENALTY, "script": "benchmarks/confidence.py",
        },
        "reliability": {"by": f"{FOLDS}-fold cross-validation", **reliability(cross_validated(inputs, right), right)},
    }  # fmt: skip


def write(found: dict[str, list[dict[str, Any]]]) -> None:
    """Put fits in the place where the assistant reads them. Leaves the program when no adapter could have one."""
    if any(not one["recipe"]["adapter_sha256"] for fits in found.values() for one in fits):
        raise SystemExit(
            "Some of these answers do not say which adapter gave them, so nothing was written: coefficients belong to "
            "an adapter's sha256. Ask again: --model ADAPTER --out signs.jsonl."
        )
    known = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.exists() else {}
    for kind, fits in found.items():
        again = {one["recipe"]["adapter_sha256"] for one in fits}
        known[kind] = [one for one in known.get(kind, []) if one["recipe"]["adapter_sha256"] not in again] + fits
    temporary = TARGET.with_suffix(".tmp")
    temporary.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    temporary.rename(TARGET)


def plot(file: Path) -> None:
    """Draw how often answers of a given confidence are right."""
    from mnemosyne.evaluation import plots

    known = json.loads(TARGET.read_text(encoding="utf-8"))
    recipes = [one["recipe"] for fits in known.values() for one in fits]
    bins = {
        _row(kind, one["recipe"], recipes): [
            {"said": 100 * b["said"], "right": 100 * b["right"], "n": b["n"]} for b in one["reliability"]["bins"]
        ]
        for kind, fits in known.items()
        for one in fits
    }
    text = plots.reliability(list(bins), bins, said="confidence, %")
    file.write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n' + text.replace("<svg ", '<svg style="background:white" ', 1),
        encoding="utf-8",
    )


def _row(kind: str, recipe: dict[str, Any], recipes: list[dict[str, Any]]) -> str:
    """`mnemosyne-1.5b, votes`, with some digits of the adapter where another one has its name."""
    named = {one["adapter_sha256"] for one in recipes if one["model"] == recipe["model"]}
    digits = f" {recipe['adapter_sha256'][:4]}" if len(named) > 1 else ""
    return f"{recipe['model']}{digits}, {'one draft' if kind == 'single' else 'votes'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct")
    parser.add_argument("--out", type=Path, help="keep the judged answers in this file, and do not fit")
    parser.add_argument("--limit", type=int, default=150)
    parser.add_argument("--votes", type=int, default=1)
    parser.add_argument("--fit", type=Path, nargs="+")
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args()
    if chosen.plot:
        plot(chosen.plot)
    elif chosen.fit:
        found = fitted(chosen.fit)
        write(found)
        print(json.dumps(found, indent=2))
    elif chosen.out:
        ask(chosen.model, chosen.out, chosen.limit, chosen.votes)
    else:
        with tempfile.TemporaryDirectory() as folder:
            judged = Path(folder) / "signs.jsonl"
            ask(chosen.model, judged, chosen.limit, chosen.votes)
            print(json.dumps(fitted([judged]), indent=2))


if __name__ == "__main__":
    main()
