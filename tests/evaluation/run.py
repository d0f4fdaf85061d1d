"""Measures retrieval with the program's own code, the bundled embedder and real SQLite.

    python tests/evaluation/run.py cranfield FOLDER [--split odd|even|all] [--parts]

`cranfield` wants the folder with cran.all.1400, cran.qry and cranqrel, which is not part of the
repository. Odd queries (by their place in the file) are for tuning, even ones for reporting.
`--parts` leaves out one part of the ranking after the other and shows what each brings.
`--keep FOLDER` says where indexed libraries lie, so that the next run does not embed again.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import cranfield
import library
from report import Row, measured, table

from app.backend.ask.ranking import Ranking

PARTS = {
    "feedback": Ranking(models=0),
    "feedback by words": Ranking(share=0.0),
    "feedback by meaning": Ranking(pull=0.0),
    "keeping the first rank": Ranking(kept=0),
}


def main() -> int:
    asked = _arguments()
    keep = asked.keep or Path(tempfile.gettempdir()) / "carrel-evaluation"
    rankings = {"as shipped": Ranking()}
    if asked.parts:
        rankings |= {f"without {name}": without for name, without in PARTS.items()}
    with library.opened(keep / asked.set) as shelf:
        print(table(asyncio.run(_rows(shelf, asked, rankings))))
    return 0


async def _rows(shelf: library.Library, asked: argparse.Namespace, rankings: dict[str, Ranking]) -> list[Row]:
    await library.fill(shelf, cranfield.documents(asked.folder))
    wanted = {"odd": (1,), "even": (0,), "all": (0, 1)}[asked.split]
    queries = [query for query in cranfield.queries(asked.folder) if query.place % 2 in wanted]
    return [
        await measured(shelf, name, ranking, queries, lambda passage: passage.document_name)
        for name, ranking in rankings.items()
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, help="where indexed libraries lie")
    sets = parser.add_subparsers(dest="set", required=True)
    public = sets.add_parser("cranfield")
    public.add_argument("folder", type=Path)
    public.add_argument("--split", choices=("odd", "even", "all"), default="odd")
    public.add_argument("--parts", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
