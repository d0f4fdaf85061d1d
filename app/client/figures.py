"""How an answer checked and how fast it was, in words: the same in the window and on the command line."""

from app.records import Message


def figures(message: Message) -> str:
    """On one line: sentences that are supported, the first word in seconds, tokens per second."""
    checks = message.citations
    supported = sum(check.verdict == "supported" for check in checks)
    noun = "sentence" if len(checks) == 1 else "sentences"
    parts = [f"{supported} of {len(checks)} {noun} supported" if checks else "no sentence checked"]
    times, usage = message.timings, message.usage
    if times is not None and times.first_token_ms > 0:
        parts.append(f"first word {times.first_token_ms / 1000:.2f} s")
    if times is not None and usage is not None and times.decode_ms > 0 and usage.completion_tokens > 1:
        parts.append(f"{usage.completion_tokens / times.decode_ms * 1000:.0f} tokens/s")
    return " · ".join(parts)
