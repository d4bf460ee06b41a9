"""`strongsuit demo`: three tables, three verdicts, one report to open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.cli.progress import stages

ROWS = 600  # rows of the generated tables: enough for the guard to decide, quick enough to watch
SHOWN = "porous_elastoplastic"  # the report named at the end


def demo(
    out: Annotated[Path, typer.Option(help="Folder for tables, models and reports.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same tables.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Show what partitioning finds: a simulated porous material, a known pair of regimes, and a real table.

    Example: strongsuit demo --out demo
    """
    from strongsuit.core.compile import use_compile_cache

    use_compile_cache()
    results = [_one(name, words, frame, out, seed, as_json) for name, words, frame in _tables(seed)]
    report = out / SHOWN / "report.html"
    if as_json:
        typer.echo(json.dumps({"results": results, "report": str(report)}))
    else:
        typer.echo(f"\nOpen the report: {report}")


def _tables(seed: int) -> list[tuple[str, str, Any]]:
    from strongsuit.datasets.generators import generate

    waves = generate("wave_climb", rows=ROWS, seed=seed)
    foam = generate(SHOWN, rows=ROWS, seed=seed)
    return [
        ("diabetes", "442 patients (real, ships with scikit-learn): progression of diabetes", _diabetes()),
        ("wave_climb", "A wave, then a slope: two regimes, known", waves.to_frame()),
        (
            SHOWN,
            "Compression of a porous polymer (simulated): elastic, plateau, densification",
            foam.to_frame(),
        ),
    ]


def _diabetes() -> Any:
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame
    return frame.rename(columns={"target": "y"})


def _one(name: str, words: str, frame: Any, out: Path, seed: int, quiet: bool) -> dict[str, Any]:
    from strongsuit.datasets.writing import write_table
    from strongsuit.workflow import Settings, partition_table, predict_table

    out.mkdir(parents=True, exist_ok=True)
    path = write_table(frame, out / f"{name}.csv")
    known = "regime" in frame.columns
    with stages(name, quiet=quiet) as progress:
        result = partition_table(
            path, targets=["y"], exclude=["regime"] if known else [], settings=Settings(seed=seed, jobs=0),
            out=out / name, progress=progress,
        )  # fmt: skip
    predict_table(out / name, path, out=out / f"{name}_predicted.csv")
    agreement = _agreement(result, frame) if known else None
    if not quiet:
        typer.echo(f"\n{words}\n{result.text}")
        if agreement is not None:
            typer.echo(f"Agreement with the true regimes (adjusted Rand index): {agreement:.3f}")
    return result.facts | {"name": name, "adjusted_rand_index": agreement}


def _agreement(result: Any, frame: Any) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(frame["regime"], result.model.labels))
