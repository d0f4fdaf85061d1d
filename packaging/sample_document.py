"""Makes resources/sample/"Lease agreement.pdf", the document of the first minute and of `verify`.

`python packaging/sample_document.py` writes the same bytes every time (with the locked reportlab).
The result is committed; this is how it is changed. The answer to the sample question stands on
page 3, in § 11, and no other number of months stands near it.
"""

import argparse
from pathlib import Path

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    HRFlowable,
    KeepTogether,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

ROOT = Path(__file__).resolve().parent.parent
PAGES = 4
_INK = HexColor("#1c1b19")
_QUIET = HexColor("#6b675f")
_RULE = HexColor("#c9c4b8")

_TITLE = ParagraphStyle(
    "title", fontName="Times-Roman", fontSize=25, leading=30, textColor=_INK, alignment=TA_CENTER
)
_SUBTITLE = ParagraphStyle(
    "subtitle", fontName="Times-Italic", fontSize=12, leading=16, textColor=_QUIET, alignment=TA_CENTER
)
_HEADING = ParagraphStyle(
    "heading",
    fontName="Times-Bold",
    fontSize=13,
    leading=18,
    textColor=_INK,
    spaceBefore=16,
    spaceAfter=5,
    keepWithNext=True,
)
_TEXT = ParagraphStyle(
    "text",
    fontName="Times-Roman",
    fontSize=12,
    leading=18.2,
    textColor=_INK,
    alignment=TA_JUSTIFY,
    spaceAfter=8,
)
_PARTY = ParagraphStyle("party", parent=_TEXT, alignment=0, leftIndent=10 * mm)
_SMALL = ParagraphStyle("small", parent=_TEXT, fontSize=10, leading=13.5, textColor=_QUIET, alignment=0)

# Every section is (heading, paragraphs); a page of the document is a list of sections.
_PAGE_1 = (
    (
        "§ 1  The flat",
        (
            "The landlord lets to the tenant the flat on the second floor, left, of the house at"
            " Uferstraße 14, 69120 Heidelberg. It has three rooms, a kitchen, a bathroom with a window, a"
            " hallway and a balcony facing the river. The living space is 78 square metres.",
            "A cellar compartment, marked with the number 7, belongs to the flat. The tenant may use the"
            " bicycle room, the drying room in the attic and the garden behind the house together with"
            " the other residents.",
            "The flat may be used for living only. Working at a desk at home is part of living as long as"
            " no customers are received and no staff are employed there.",
        ),
    ),
    (
        "§ 2  Beginning of the lease",
        (
            "The lease begins on 1 April 2024. It runs for an indefinite time.",
            "The landlord hands over the flat and all keys at noon on the first day. The state of the flat"
            " on that day, the readings of the meters and the number of keys are written down in a record,"
            " which both parties sign. The record is the annex to this agreement.",
        ),
    ),
)
_PAGE_2 = (
    (
        "§ 3  Rent",
        (
            "The rent is 1,180 euros a month, without heating and service charges. It is due on the third"
            " working day of each month and is paid to the landlord’s account at the Sparkasse Heidelberg.",
            "The landlord may adapt the rent to the local comparative rent within the limits of the law,"
            " at the earliest on 1 April 2027, and gives the reasons in writing.",
        ),
    ),
    (
        "§ 4  Heating and service charges",
        (
            "In addition to the rent the tenant pays an advance of 210 euros for heating, hot and cold"
            " water, waste collection, cleaning of the staircase, lighting of the common parts, property"
            " tax and insurance of the building. Electricity and internet are the tenant’s own contracts.",
            "The landlord settles the advance once a year, by the end of October, and sends a statement"
            " that can be checked against the bills. The cost of heating is shared out at 70 percent by"
            " measured use and at 30 percent by living space.",
        ),
    ),
    (
        "§ 5  Deposit",
        (
            "The tenant pays a deposit of 2,360 euros. It may be paid in three equal parts; the first part"
            " is due when the lease begins. The landlord keeps the deposit apart from their own money in a"
            " savings account, and the interest belongs to the tenant.",
            "When the lease has ended and the flat has been returned, the landlord pays the deposit back as"
            " soon as it is clear that no claims remain, at the latest with the next yearly statement.",
        ),
    ),
    (
        "§ 6  Garage",
        (
            "The garage in the courtyard, the second door from the left, is let together with the flat for"
            " 85 euros a month. Only a vehicle that is registered and free of leaks may be kept in it. The"
            " driveway is kept clear at all times for the fire brigade.",
        ),
    ),
)
_PAGE_3 = (
    (
        "§ 7  Pets",
        (
            "Small animals that live in cages or tanks may be kept without asking. A cat or a dog needs the"
            " landlord’s consent, which is given when no resident of the house has a good reason against"
            " it. The consent given with this agreement covers one cat.",
        ),
    ),
    (
        "§ 8  Repairs and upkeep",
        (
            "The tenant reports damage as soon as it is seen. The landlord has the heating, the pipes, the"
            " windows and the doors repaired. Small repairs to parts that are in daily use, such as taps,"
            " switches and locks, are paid by the tenant up to 100 euros each and up to 300 euros in a"
            " year.",
            "The tenant airs and heats the rooms so that no damp settles, and cleans the drain of the"
            " balcony before winter.",
        ),
    ),
    (
        "§ 9  Changes to the flat",
        (
            "Walls may be painted and shelves put up without asking. Changes to the building, to pipes or"
            " to wiring need written consent. A charging point for an electric car in the garage is"
            " consented to, at the tenant’s expense.",
        ),
    ),
    (
        "§ 10  Visits by the landlord",
        (
            "The landlord may enter the flat to read meters, to have repairs done or to show it to the next"
            " tenant, on working days between 9 and 18 o’clock and after a message on the day before. In an"
            " emergency no message is needed.",
        ),
    ),
    (
        "§ 11  Notice period",
        (
            "Either party may end the lease with three months’ notice, given in writing by the third"
            " working day of a month. A message by e-mail or telephone is not enough. The landlord must"
            " give a reason that the law allows.",
        ),
    ),
)
_PAGE_4 = (
    (
        "§ 12  Returning the flat",
        (
            "The flat is returned swept clean, with all keys, in the state of the record less normal wear."
            " Walls are returned in light, neutral colours. Fittings that the tenant has put in are removed"
            " unless the landlord takes them over at a fair price.",
        ),
    ),
    (
        "§ 13  House rules",
        (
            "Quiet is kept from 22 to 6 o’clock and on Sundays. The staircase is free of shoes, prams and"
            " bicycles. The residents of each floor sweep their flight of stairs in turn.",
        ),
    ),
    (
        "§ 14  Final provisions",
        (
            "Changes to this agreement are made in writing. Should one provision be void, the others stay"
            " in force. Each party has received a signed copy.",
        ),
    ),
)
_RECORD = (
    ("Annex: record of the handover", "1 April 2024"),
    ("Keys", "2 front door, 3 flat, 1 cellar, 1 letter box, 2 garage"),
    ("Electricity meter 40 117 226", "18,204 kWh"),
    ("Cold water meter 5 530 981", "312.4 m³"),
    ("Hot water meter 5 530 982", "140.9 m³"),
    ("Remarks", "Scratch in the parquet of the living room, 20 cm, by the balcony door"),
)


def make(target: Path) -> None:
    """Write the lease to `target`.

    Raises:
        ValueError: the text no longer fills exactly four pages.
    """
    document = BaseDocTemplate(
        str(target),
        pagesize=A4,
        title="Lease agreement",
        author="Carrel sample",
        invariant=1,
        leftMargin=29 * mm,
        rightMargin=29 * mm,
        topMargin=26 * mm,
        bottomMargin=28 * mm,
    )
    body = Frame(document.leftMargin, document.bottomMargin, document.width, document.height, 0, 0, 0, 0)
    document.addPageTemplates(PageTemplate("page", [body], onPage=_footer))
    document.build(_story())
    if document.page != PAGES:
        raise ValueError(f"The lease fills {document.page} pages instead of {PAGES}.")


def _story() -> list[Flowable]:
    story: list[Flowable] = [
        Spacer(1, 6 * mm),
        Paragraph("Lease Agreement", _TITLE),
        Spacer(1, 1.5 * mm),
        Paragraph("for the flat at Uferstraße 14, second floor, left", _SUBTITLE),
        Spacer(1, 6 * mm),
        HRFlowable(width="100%", thickness=0.6, color=_RULE),
        Spacer(1, 5 * mm),
        Paragraph("between", _TEXT),
        Paragraph("<b>Margarete Lindqvist</b>, Bergstraße 102, 69121 Heidelberg, the landlord,", _PARTY),
        Paragraph("and", _TEXT),
        Paragraph(
            "<b>Elena Marchetti</b> and <b>Jonas Albrecht</b>, until now at Kaiserallee 9, 76133 Karlsruhe,"
            " together the tenant.",
            _PARTY,
        ),
        Spacer(1, 2 * mm),
    ]
    for page in (_PAGE_1, _PAGE_2, _PAGE_3, _PAGE_4):
        for heading, paragraphs in page:
            first, *rest = [Paragraph(text, _TEXT) for text in paragraphs]
            story.append(KeepTogether([Paragraph(heading, _HEADING), first]))
            story.extend(rest)
        if page is not _PAGE_4:
            story.append(PageBreak())
    return [*story, Spacer(1, 16 * mm), _signatures(), Spacer(1, 18 * mm), _record()]


def _signatures() -> Flowable:
    place = "Heidelberg, 11 March 2024"
    table = Table(
        [
            [Paragraph(place, _SMALL), "", Paragraph(place, _SMALL)],
            [
                Paragraph("M. Lindqvist, landlord", _SMALL),
                "",
                Paragraph("E. Marchetti, J. Albrecht, tenant", _SMALL),
            ],
        ],
        colWidths=[68 * mm, 16 * mm, 68 * mm],
        rowHeights=[13 * mm, 7 * mm],
    )
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("LINEABOVE", (0, 1), (0, 1), 0.6, _INK),
                ("LINEABOVE", (2, 1), (2, 1), 0.6, _INK),
            ]
        )
    )
    return table


def _record() -> Flowable:
    rows = [[Paragraph(left, _SMALL), Paragraph(right, _SMALL)] for left, right in _RECORD]
    rows[0] = [Paragraph(f"<b>{text}</b>", _SMALL) for text in _RECORD[0]]
    table = Table(rows, colWidths=[66 * mm, 86 * mm])
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, _RULE),
                ("LINEABOVE", (0, 0), (-1, 0), 0.6, _INK),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 3.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ]
        )
    )
    return table


def _footer(canvas: Canvas, document: BaseDocTemplate) -> None:
    canvas.saveState()
    canvas.setFont("Times-Italic", 9)
    canvas.setFillColor(_QUIET)
    canvas.drawString(document.leftMargin, 15 * mm, "Lease agreement, Uferstraße 14")
    canvas.drawRightString(A4[0] - document.rightMargin, 15 * mm, f"Page {document.page} of {PAGES}")
    canvas.restoreState()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes the sample document.")
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "resources/sample/Lease agreement.pdf")
    make(parser.parse_args().target)
