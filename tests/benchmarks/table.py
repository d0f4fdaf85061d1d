"""Results as a Markdown table, which reads well on a terminal, too; and as JSON values. Pure."""

from collections.abc import Sequence

from results import Result, Spread

_HEAD = ("", "Carrel", "compared with", "its figure", "ratio", "target", "")
_VERDICTS = {True: "holds", False: "**missed**", None: ""}


def markdown(results: Sequence[Result]) -> str:
    """A row a claim: medians, with the least and the greatest round behind them."""
    rows = [_HEAD, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def values(result: Result) -> dict[str, object]:
    """All of a result, for JSON."""
    claim = result.claim
    spread = Spread.of(result.judged) if result.ours else None
    return {
        "name": claim.name,
        "says": claim.says,
        "unit": claim.unit,
        "against": claim.against,
        "target": claim.target,
        "ours": list(result.ours),
        "theirs": list(result.theirs),
        "judged": {"median": spread.median, "min": spread.low, "max": spread.high} if spread else None,
        "holds": result.holds,
        "missing": result.missing,
    }


def _row(result: Result) -> tuple[str, ...]:
    claim = result.claim
    if not result.ours:
        return (claim.says, f"not measured: {result.missing}", claim.against, "", "", claim.target, "")
    compared = bool(result.theirs)
    return (
        claim.says,
        _spread(result.ours, claim.unit),
        claim.against if compared else "",
        _spread(result.theirs, claim.unit) if compared else "",
        _spread(result.judged, "×") if compared else "",
        claim.target,
        _VERDICTS[result.holds],
    )


def _spread(figures: Sequence[float], unit: str) -> str:
    spread = Spread.of(figures)
    figure = _number(spread.median) + (unit if unit == "×" else f" {unit}" if unit else "")
    if len(figures) == 1:
        return figure
    return f"{figure} ({_number(spread.low)}–{_number(spread.high)})"


def _number(figure: float) -> str:
    """Three digits that matter; more only where they are all nines."""
    if abs(figure) >= 100:
        return f"{figure:,.0f}"
    if abs(figure) >= 10:
        return f"{figure:.1f}"
    return f"{figure:.5f}" if 0.99 <= figure < 1 and round(figure, 2) == 1 else f"{figure:.2f}"
