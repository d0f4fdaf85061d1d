"""Numbers within bounds, written in digits, as GBNF."""

from app.serving.constraints.json_texts import FRACTION


def whole(low: int, high: int) -> str:
    """An expression whose texts are the whole numbers from `low` to `high` (low <= high)."""
    options = []
    if low < 0:
        options.append(f'"-" ({_from_to(max(-high, 1), -low)})')
    if high >= 0:
        options.append(_from_to(max(low, 0), high))
    return " | ".join(options)


def decimal(low: int, high: int) -> str:
    """An expression of numbers from `low` to `high` (low <= high), with or without a fraction."""
    options = [whole(low, high)]
    if high > 0:
        options.append(f"({whole(max(low, 0), high - 1)}) {FRACTION}")
    if low < 0:  # "-0.5" begins with -0, which is no whole number: the sign is written apart
        options.append(f'"-" ({whole(max(-high, 0), -low - 1)}) {FRACTION}')
    return " | ".join(options)


def _from_to(low: int, high: int) -> str:
    return " | ".join(
        _same_length(str(max(low, 10 ** (length - 1) if length > 1 else 0)), str(min(high, 10**length - 1)))
        for length in range(len(str(low)), len(str(high)) + 1)
    )


def _same_length(low: str, high: str) -> str:
    """Numbers of as many digits as both have."""
    if len(low) == 1:
        return f"[{low}-{high}]"
    if low[0] == high[0]:
        return f'"{low[0]}" ({_same_length(low[1:], high[1:])})'
    rest = len(low) - 1
    first, last = int(low[0]), int(high[0])
    options = []
    if low[1:] != "0" * rest:
        options.append(f'"{first}" ({_same_length(low[1:], "9" * rest)})')
        first += 1
    if high[1:] != "9" * rest:
        options.append(f'"{last}" ({_same_length("0" * rest, high[1:])})')
        last -= 1
    if first <= last:
        options.append(f"[{first}-{last}] [0-9]{{{rest}}}")
    return " | ".join(options)
