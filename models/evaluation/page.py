"""A model card as a page to read: Markdown, with the picture that lies beside it."""

from collections.abc import Iterable, Sequence

from models.card.card import ModelCard, TrainingRecord
from models.card.folder import PLOT_FILE
from models.card.measurements import GuidanceMeasurement, Measurement
from models.features.catalogue import features_of

PAGE_FILE = "README.md"
# What a table of measurements shows, and how it calls it; shares are written as per cent.
_SHARES = {
    "vun": "valid, unique, novel",
    "valid": "valid",
    "valid_and_connected": "valid, connected",
    "unique": "unique",
    "novel": "novel",
    "atom_stable": "stable atoms",
    "molecule_stable": "stable molecules",
}
_NUMBERS = {
    "fcd": "FCD",
    "ratio": "mean ratio",
    "ratio_degree": "degrees",
    "ratio_clustering": "clustering",
    "ratio_orbit": "orbits",
    "ratio_spectral": "spectrum",
    "ratio_wavelet": "wavelets",
    "nll": "NLL, nats",
}


_COMPLETIONS = {
    "kept": "kept",
    "valid": "valid",
    "valid_and_connected": "valid, connected",
    "connected": "connected",
    "distinct": "not the test graph",
    "unique": "distinct",
    "fcd": "FCD",
    "ratio": "mean ratio",
}


def write_page(card: ModelCard) -> str:
    """The page of a card."""
    parts = [
        f"# {card.name} {card.version}",
        card.description,
        f"![A dozen graphs of {card.name}, and its quality by the number of steps]({PLOT_FILE})",
        _use(card),
        "## What it draws",
        _vocabulary(card),
        "## How good it is",
        _quality(card),
        *(
            ["## What it can be steered to", _properties(card), _guidance(card.guidance_metrics)]
            if card.properties
            else []
        ),
        *(["## How it completes what is given", _given(card)] if card.given_metrics else []),
        "## How it was trained",
        _training(card),
        "## Licence",
        card.licence,
        f"*Everything on this page is in [card.json](card.json); `digress plot {card.name} --save` writes the page anew.*",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _use(card: ModelCard) -> str:
    target = next(iter(card.properties.values()), None)
    lines = [
        f"digress sample {card.name} -n 16 --seed 7",
        f"digress generate {card.name} -n 16 --seed 7      # through a service",
        *([f"digress sample {card.name} -n 16 --target {target.name}={target.mean:.3g}"] if target else []),
    ]
    return "```sh\n" + "\n".join(lines) + "\n```"


def _vocabulary(card: ModelCard) -> str:
    def with_shares(types: Sequence[str], marginals: Sequence[float]) -> str:
        return ", ".join(f"`{kind}` {100 * share:.3g} %" for kind, share in zip(types, marginals, strict=True))

    sizes = list(card.size_distribution)
    mean = sum(size * share for size, share in card.size_distribution.items())
    own = card.sampling
    eta = f" (eta {own.eta:g})" if own.sampler == "mixed" else ""
    return _table(
        ["", ""],
        [
            ["nodes", with_shares(card.node_types, card.node_marginals)],
            ["edges, of all pairs", with_shares(card.edge_types, card.edge_marginals)],
            [
                "sizes in training",
                f"{min(sizes)} to {max(sizes)} nodes, {mean:.3g} on average; at most {card.max_nodes}",
            ],
            [
                "by default",
                f"`{own.sampler}`{eta}, {own.num_steps} of {card.diffusion.num_timesteps} steps, grid `{own.grid}`",
            ],
        ],
    )


def _quality(card: ModelCard) -> str:
    rows = [row for row in card.metrics if row.version in {None, card.version}]
    if not rows:
        return f"Not measured yet: `digress evaluate {card.name} --save` does."
    names = [name for name in (_SHARES | _NUMBERS) if any(name in row.values for row in rows)]
    ordered = sorted(rows, key=lambda row: (row != card.quality, row.sampler, row.num_steps, -row.num_graphs))
    table = _table(
        ["samples", "sampler", "steps", *((_SHARES | _NUMBERS)[name] for name in names)],
        [_measured(row, names) for row in ordered],
    )
    first = ordered[0]
    return f"{table}\n\nThe first row: `{first.command}`; the command of every other row is in the card."


def _measured(row: Measurement, names: Iterable[str]) -> list[str]:
    sampler = row.sampler if row.eta is None else f"{row.sampler} {row.eta:g}"
    cells = [
        ""
        if name not in row.values
        else f"{100 * row.values[name]:.2f} %"
        if name in _SHARES
        else f"{row.values[name]:.3g}"
        for name in names
    ]
    return [f"{row.num_graphs:,}", f"{sampler}, {row.grid}", str(row.num_steps), *cells]


def _properties(card: ModelCard) -> str:
    rows = []
    for known in card.properties.values():
        error = f"{known.mae[0]:.3g}" if 0 in known.mae else ""
        span = f"{known.min:.4g} to {known.max:.4g}"
        rows.append([f"`{known.name}`", known.description, known.unit or "–", span, f"{known.spread:.3g}", error])
    return _table(["property", "", "unit", "in training", "a blind guess errs by", "its regressor by"], rows)


def _guidance(rows: Sequence[GuidanceMeasurement]) -> str:
    if not rows:
        return ""
    table = _table(
        ["steered to", "measured by", "of version", "by", "candidates", "targets", "distance", "unguided", "valid"],
        [
            [
                ", ".join(row.properties),
                row.measure,
                row.version or "1.0.0",
                f"{row.estimator} {row.scale:g}, {row.sampler}",
                str(row.candidates),
                str(row.num_graphs),
                ", ".join(f"{row.mae[name]:.3f} ± {row.standard_error[name]:.3f}" for name in row.properties),
                ", ".join(f"{row.unguided_mae[name]:.3f}" for name in row.properties),
                f"{100 * row.valid:.1f} %",
            ]
            for row in rows
        ],
    )
    return f"Graphs steered to the properties of test molecules, and how far they are from them:\n\n{table}"


def _given(card: ModelCard) -> str:
    parts = [
        "Trained with parts given: it knows which nodes and pairs are."
        if card.network.reads_given
        else "Not trained with parts given: what is given takes the place of its prediction in every step."
    ]
    rows = [row for row in card.given_metrics if row.version == card.version]
    if completed := [row for row in rows if not row.similarity]:
        names = [name for name in _COMPLETIONS if any(name in row.values for row in completed)]
        cells = [[_number(name, row.values.get(name)) for name in names] for row in completed]
        table = _table(
            ["given", "completions", "steps", *(_COMPLETIONS[name] for name in names)],
            [
                [row.kind, f"{row.num_graphs:,} of {row.num_sources} test graphs", str(row.num_steps), *values]
                for row, values in zip(completed, cells, strict=True)
            ],
        )
        parts += [table, f"The first row: `{completed[0].command}`; the command of every other row is in the card."]
    for row in rows:
        if row.similarity:
            unchanged = [row.values[f"unchanged_at_{noise}"] for noise in row.similarity]
            table = _table(
                ["noise, t/T", *(f"{noise:g}" for noise in row.similarity)],
                [
                    ["similarity", *(f"{value:.2f}" for value in row.similarity.values())],
                    ["unchanged", *(f"{100 * share:.0f} %" for share in unchanged)],
                ],
            )
            parts += [f"What is left of a test graph that was noised and denoised again (`{row.command}`):", table]
    return "\n\n".join(parts)


def _number(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if name in _NUMBERS else f"{100 * value:.1f} %"


def _training(card: ModelCard) -> str:
    training = card.training
    described = [feature.description for feature in features_of(card, card.features) if feature.description]
    features = ["features", ", ".join(described) or "none"]
    unfinished = [["unfinished", f"`{name}`: {_so_far(record)}"] for name, record in card.unfinished.items()]
    if training is None:
        return f"{_table(['', ''], [features, *unfinished])}\n\nThe card has no record of its training."
    took = f"{training.minutes:.0f} minutes, {training.gradient_steps:,} steps"
    if training.recipe.get("start_from"):
        took += ", after those of the weights it began with (see below)"  # in the note that training writes of them
    table = _table(
        ["", ""],
        [
            ["data", f"{training.dataset}, {training.num_graphs:,} graphs for training; split: {training.split}"],
            ["preset", f"`digress train {training.preset}`, seed {training.seed}"],
            features,
            ["took", f"{took}, on {training.hardware}"],
            *unfinished,
            ["code", training.code_version],
        ],
    )
    return "\n\n".join([table, *(f"- {note}" for note in training.notes)])


def _so_far(record: TrainingRecord) -> str:
    minutes, steps = record.recipe.get("max_minutes"), record.recipe.get("max_steps")
    of_minutes = f" of {minutes:g}" if isinstance(minutes, int | float) else ""
    of_steps = f" of at most {steps:,}" if isinstance(steps, int) else ""
    took = f"{record.minutes:.1f}{of_minutes} minutes, {record.gradient_steps:,}{of_steps} steps"
    return f"weights after {took}, before the learning rate had decayed to its end"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
