"""The model card: every figure comes from the release record, the run record and the evaluations.

The sentences of this file hold no figure. A test reads every number of a card and finds it in the inputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

from mnemosyne.errors import ReleaseError
from mnemosyne.release import templates
from mnemosyne.release.gates import Evaluation, weights_of

Facts = Mapping[str, Any]

INTENDED = """## Intended use

A person who may read a laboratory's database asks it in plain words; the model writes one PostgreSQL query for the
schema that it is shown. It is meant to run behind Mnemosyne, which checks the query, runs it read-only under limits,
and shows it for review. It was made for laboratories (samples, results, methods, clients, worksheets) and answers
general questions on other schemas too.

Not intended: writing to a database, decisions about people or compliance without review, or use as a chat model.
"""

LIMITS = """## Limits

- It answers every question with a query, also one that the schema cannot answer. Mnemosyne refuses what does not fit
  the schema; a query that runs can still answer another question than the one that was asked.
- It sees the schema and, where Mnemosyne adds them, stored values; it does not see the rows.
- It writes PostgreSQL. Other dialects are translated by Mnemosyne, not by the model.
- Questions were English in training and in every measurement.
- Figures of a bench say little about a schema that resembles none of it: measure on your own
  (`mnemosyne evaluate --bench FILE`).
"""

ETHICS = """## Ethical considerations

Laboratory data can be personal or confidential. Run the model where the data is; nothing needs to leave the machine.
Access control belongs to the database and to Mnemosyne's policy, never to the prompt. A fluent query can be wrong:
keep the review step where an answer leads to a decision. The base model's own biases and the errors of its training
data are inherited.
"""


def card(release: Facts, run: Facts, evaluations: Sequence[Evaluation]) -> str:
    """The card as Markdown with the hub's header. `run` may be empty: the card then says so."""
    own = {file["sha256"] for file in release["files"].values()}
    parts = [
        _header(release, evaluations, own),
        f"# {release['name']}\n\n{_opening(release)}",
        INTENDED,
        _files(release),
        _use(),
        _training(release, run),
        _results(evaluations, own),
        _checks(release),
        LIMITS,
        ETHICS,
        _licence(release),
        _citation(release, run, evaluations),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def _header(release: Facts, evaluations: Sequence[Evaluation], own: set[str]) -> str:
    """What the hub reads: licence, base, and the figures of our files."""
    import yaml

    results = []
    for evaluation in evaluations:
        for system in evaluation["systems"]:
            if weights_of(system) in own:
                metrics = [
                    {"type": name, "value": round(figure["value"], 1), "name": f"{name}, {system['way']}"}
                    for name, figure in system["figures"]["all"]["all"].items()
                ]
                bench = evaluation["bench"]["name"]
                results.append(
                    {
                        "task": {"type": "text-generation", "name": "Text-to-SQL"},
                        "dataset": {"type": bench, "name": bench},
                        "metrics": metrics,
                    }
                )
    header: dict[str, Any] = {
        "license": str(release["licence"]).lower(),
        "language": ["en"],
        "base_model": _repository(release["base"]["name"]),
        "pipeline_tag": "text-generation",
        "library_name": "transformers",
        "tags": ["text-to-sql", "sql", "postgresql", "lims", "laboratory", "gguf"],
    }
    if results:
        header["model-index"] = [{"name": release["name"], "results": results}]
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n"


def _repository(base: str) -> str:
    """The hub's name of a catalogued base, the base itself where the catalogue does not know it."""
    entries = json.loads((resources.files("mnemosyne.data") / "catalogue.json").read_text(encoding="utf-8"))
    hub = entries.get(base, {}).get("hub")
    return str(hub["repository"]) if hub else base


def _opening(release: Facts) -> str:
    adapter, base = release["adapter"], release["base"]
    return (
        f"Questions about a database to PostgreSQL, fine-tuned for laboratories. A low-rank adapter (rank "
        f"{adapter['rank']}, alpha {_number(adapter['alpha'])}, {_number(adapter['parameters'])} parameters) on "
        f"`{base['name']}` (sha256 `{base['sha256']}`), "
        + (
            "trained on the dequantised weights of exactly that file. "
            if base.get("sealed", True)
            else "the base that was named for it: the adapter itself does not say on which file it was trained. "
        )
        + f"Made by Mnemosyne {release['version']}.\n"
    )


def _files(release: Facts) -> str:
    rows = [(f"`{file['file']}`", _number(file["bytes"]), f"`{file['sha256']}`") for file in release["files"].values()]
    if not rows:
        return ""
    return "## Files\n\n" + _table(("file", "bytes", "sha256"), rows)


def _use() -> str:
    prompt = templates.message("{DDL}", "{question}")
    return (
        "## Use\n\nThe user message of a chat, which the chat template turns into the prompt of the training:\n\n"
        f"```text\n{prompt}\n```\n\nDecode greedily. `docs/use.md` of Mnemosyne shows transformers, llama.cpp, Ollama, "
        "OpenAI-compatible servers and Mnemosyne itself.\n"
    )


def _training(release: Facts, run: Facts) -> str:
    """Data, settings and course of the run; a record of TRL's frames plans no steps and counts no rows left out."""
    if not run:
        return "## Training\n\nThis adapter came without its run record.\n"
    recipe, result = run["recipe"], run.get("result")
    told = {key: value for key, value in recipe.items() if key not in ("data", "validation")}
    settings = [(key, _plain(value)) for key, value in told.items()]
    data = [
        (f"`{part['path']}`", _number(part["rows"]), f"`{part['fingerprint']}`",
         _number(len(part["too_long"])) if "too_long" in part else "–")
        for part in run["data"]
    ]  # fmt: skip
    weights = [(f"`{part['path']}`", _plain(part.get("weight")), _plain(part.get("cap"))) for part in recipe["data"]]
    text = (
        f"## Training data\n\n{_table(('file', 'rows', 'fingerprint', 'left out: too long'), data)}\n"
        f"{_table(('file', 'weight', 'cap'), weights)}\n" + _planned(run) + _before(recipe) + "\n"
        f"## Hyper-parameters\n\n{_table(('setting', 'value'), settings)}\n"
        f"## Run\n\nOn {run['machine']['processor']}, {_plain(run['machine']['cores'])} cores; "
        + ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        + "."
    )
    if result:
        text += (
            f" {_number(result['steps'])} steps took {_number(result['hours'])} hours and at most "
            f"{_number(result['peak_memory_gb'])} GB; finished {result['finished']}."
        )
        best = result.get("best")
        if best:
            text += " The best measurement during training: " + ", ".join(
                f"{key.replace('_', ' ')} {_plain(value)}" for key, value in best.items() if value is not None
            )
            text += "."
    if release["adapter"]["step"] is not None:
        text += f" The released adapter is the one after step {_number(release['adapter']['step'])}."
    return text + "\n"


def _planned(run: Facts) -> str:
    if "questions" not in run or "steps" not in run:
        return ""
    return f"{_number(run['questions'])} questions in {_number(run['steps'])} optimizer steps were planned.\n"


def _before(recipe: Facts) -> str:
    """What the run went on from: its data are not in this run's record."""
    start = recipe.get("start_from")
    return (
        f"The run went on from the adapter `{start}`, whose own training data are not listed here.\n" if start else ""
    )


def check(run: Facts) -> None:
    """See that a card can be made of a run's record, before the work that it is to describe. Raises ReleaseError."""
    try:
        _training({"adapter": {"step": None}}, run)
        _citation({"name": "", "version": ""}, run, [])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ReleaseError(
            f"The run's record is not whole: {type(error).__name__}, {error}.",
            hint="Name the run.json of the run that made this adapter, or leave it out.",
        ) from error


def _results(evaluations: Sequence[Evaluation], own: set[str]) -> str:
    if not evaluations:
        return "## Results\n\nThe files of this release were not measured.\n"
    parts = ["## Results\n\nPercent, with bootstrap intervals. Systems with a star are files of this release.\n"]
    for evaluation in evaluations:
        bench = evaluation["bench"]
        parts.append(
            f"### {bench['name']}\n\n{_number(bench['n'])} questions on {bench['engine']}, "
            f"{_number(bench['populations'])} populations, fingerprint `{bench['fingerprint']}`, metric "
            f"`{evaluation['metric']}`, measured {evaluation['made']}.\n"
        )
        metrics = list(evaluation["metrics"])
        rows = []
        for system in evaluation["systems"]:
            star = " *" if weights_of(system) in own else ""
            for kind in ("all", "tier", "hardness"):
                for name, row in system["figures"].get(kind, {}).items():
                    if kind == "hardness" and system["figures"].get("tier"):
                        continue
                    first = next(iter(row.values()))
                    rows.append(
                        (
                            _short(system["label"]) + star,
                            name,
                            _number(first["n"]),
                            *(_figure(row.get(metric)) for metric in metrics),
                        )
                    )
        parts.append(_table(("system", "questions", "n", *metrics), rows))
        rows = [
            (_short(system["label"]), _number(round(system["cost"]["seconds_median"], 2)))
            for system in evaluation["systems"]
        ]
        parts.append(_table(("system", "seconds a question (median)"), rows))
    return "\n".join(parts)


def _checks(release: Facts) -> str:
    parts = []
    if not release["measured"]:
        parts.append("What each file loses against the unquantised weights was not measured.\n")
    else:
        rows = [
            (one["form"], one["bench"], one["way"], _number(one["n"]), _number(round(one["ex"], 1)),
             _number(round(one["loss"], 1)))
            for one in release["measured"]
        ]  # fmt: skip
        parts.append("Execution accuracy of each file, and what it loses against the first of them:\n")
        parts.append(_table(("file", "bench", "way", "n", "EX", "loss"), rows))
    if not release["parity"]:
        parts.append("Greedy tokens of the files were not compared.\n")
    else:
        agreed = [
            (one["form"], *(_number(count) for count in (one["probes"], one["same"], one["ties"], len(one["faults"]))))
            for one in release["parity"]
        ]
        parts.append("Greedy tokens against the adapter on its base in transformers:\n")
        parts.append(_table(("form", "probes", "the same", "differ at a tie", "differ"), agreed))
    return "## Checks of this release\n\n" + "\n".join(parts)


def _licence(release: Facts) -> str:
    return (
        f"## Licence\n\nWeights: {release['licence']}. The base is `{_repository(release['base']['name'])}` under its "
        "own licence; training data keeps the licences of its sources. The laboratory's data sets are described in "
        "Mnemosyne's `docs/datasheet.md`.\n"
    )


def _citation(release: Facts, run: Facts, evaluations: Sequence[Evaluation]) -> str:
    dates = [str(run["result"]["finished"])] if run.get("result") else [str(one["made"]) for one in evaluations]
    year = f",\n  year = {{{max(dates)[:4]}}}" if dates else ""
    return (
        "## Citation\n\n```bibtex\n@software{mnemosyne,\n"
        f"  title = {{{release['name']}: text-to-SQL for laboratories}},\n"
        f"  author = {{{{The Mnemosyne engineers}}}},\n  version = {{{release['version']}}}{year}\n}}\n```\n"
    )


def _short(label: str) -> str:
    """A system's label without the folders of its files."""
    return "+".join(part.rpartition("/")[2] for part in label.split("+"))


def _figure(figure: Facts | None) -> str:
    if figure is None:
        return "–"
    return f"{figure['value']:.1f} [{figure['low']:.1f}, {figure['high']:.1f}]"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _plain(value: Any) -> str:
    """A setting as it stands in the recipe."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value) if value not in ("", None) else "–"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
