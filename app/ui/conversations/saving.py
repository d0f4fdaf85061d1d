"""Writing what streams in into a file that is there as a whole, or not at all."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from app.errors import StorageError

_LONGEST = 80
# What some system does not allow in a file's name.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')


def file_name(title: str, suffix: str) -> str:
    """A file's name for a title, allowed on every system."""
    plain = " ".join(_FORBIDDEN.sub(" ", title).split())[:_LONGEST].strip(" .")
    return f"{plain or 'Conversation'}{suffix}"


async def written(chunks: AsyncIterator[bytes], path: Path) -> str:
    """Write `chunks` to `path` in place of what is there; returns the path. For the client's loop.

    Raises:
        StorageError: it cannot be written; what was there is still there.
        AppError: what the chunks raise, likewise.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        file = await asyncio.to_thread(part.open, "xb")
        with file:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(part.replace, path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return str(path)
