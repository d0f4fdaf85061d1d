"""Writes compound files (the container of MSG): just enough of MS-CFB for messages in tests."""

import struct
from dataclasses import dataclass, field
from itertools import pairwise

SECTOR = 512
SMALL_SECTOR = 64
# Streams below this are kept among small sectors.
LARGE = 4096
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
NOTHING = 0xFFFFFFFF


@dataclass
class Storage:
    """A folder of the file: streams are bytes, folders are storages."""

    members: dict[str, "bytes | Storage"] = field(default_factory=dict)


def compound_file(root: Storage) -> bytes:
    """The bytes of a file that holds `root`."""
    entries: list[list] = [["Root Entry", 5, NOTHING, END, 0]]
    chains: list[tuple[int, bytes]] = []

    def add(storage: Storage) -> int:
        """Add the members; each is the right sibling of the one before. Returns the first."""
        places = []
        for name, member in storage.members.items():
            place = len(entries)
            places.append(place)
            if isinstance(member, Storage):
                entries.append([name, 1, NOTHING, 0, 0, NOTHING])
                entries[place][2] = add(member)
            else:
                entries.append([name, 2, NOTHING, 0, len(member), NOTHING])
                chains.append((place, member))
        for place, following in pairwise(places):
            entries[place][5] = following
        return places[0] if places else NOTHING

    entries[0].append(NOTHING)
    entries[0][2] = add(root)

    sectors: list[bytes] = []
    table: list[int] = []

    def put(data: bytes) -> int:
        first = len(sectors)
        for start in range(0, max(len(data), 1), SECTOR):
            sectors.append(data[start : start + SECTOR].ljust(SECTOR, b"\x00"))
            table.append(len(sectors))
        table[-1] = END
        return first

    small = b""
    small_table: list[int] = []
    for place, data in chains:
        if len(data) >= LARGE:
            entries[place][3] = put(data)
        elif data:
            entries[place][3] = len(small_table)
            count = -(-len(data) // SMALL_SECTOR)
            small_table += [*range(len(small_table) + 1, len(small_table) + count), END]
            small += data.ljust(count * SMALL_SECTOR, b"\x00")
    entries[0][3], entries[0][4] = put(small), len(small)
    small_at = put(struct.pack(f"<{len(small_table)}I", *small_table).ljust(SECTOR, b"\xff"))
    directory = b"".join(_entry(*entry) for entry in entries)
    directory_at = put(directory)
    count = 1
    while (len(table) + count) > count * SECTOR // 4:
        count += 1
    first = len(sectors)
    table += [FAT] * count
    table += [FREE] * (count * SECTOR // 4 - len(table))
    packed = struct.pack(f"<{len(table)}I", *table)
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6,
        0, count, directory_at, 0, LARGE, small_at, 1, END, 0,
    )  # fmt: skip
    places = [*range(first, first + count), *[FREE] * (109 - count)]
    return header + struct.pack("<109I", *places) + b"".join(sectors) + packed


def _entry(name: str, kind: int, child: int, start: int, size: int, right: int) -> bytes:
    written = name.encode("utf-16-le")
    return (
        written.ljust(64, b"\x00")
        + struct.pack("<HBBIII", len(written) + 2, kind, 1, NOTHING, right, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )
