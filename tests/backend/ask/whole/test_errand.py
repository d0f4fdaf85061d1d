import pytest

from app.backend.ask.whole.errand import Errand, errand

SUMMARIES = {
    "Summarise the lease": "the lease",
    "Summarize this document.": "",
    "Please summarise this for me": "",
    "Can you sum up the annual report in three sentences?": "the annual report",
    "Could you please summarize Lease.pdf?": "Lease.pdf",
    "Give me a short summary of the contract": "the contract",
    "summary": "",
    "A brief summary, please": "",
    "Summary of the minutes": "the minutes",
    "tl;dr": "",
    "TL;DR of the report": "the report",
    "What are the key points?": "",
    "What are the main findings of the report?": "the report",
    "Key takeaways": "",
    "Give me the highlights": "",
    "What are the highlights of the annual report?": "the annual report",
    "List the key points of the minutes": "the minutes",
    "I would like a summary of all documents": "",
    "Summarise everything": "",
    "What should I know about this contract?": "this contract",
    'Summarise "Terms of Carriage"': '"Terms of Carriage"',
    "Summarise the key points of the lease for me in bullet points": "the lease",
    "Sum up the main findings of the report": "the report",
    "Summarise the lease in German": "the lease",
    "Write a summary in French": "",
    "Summarise in English, please": "",
    "Fasse den Mietvertrag zusammen": "den Mietvertrag",
    "Fasse die wichtigsten Punkte des Mietvertrags zusammen": "Mietvertrags",
    "Zusammenfassung des Berichts auf Englisch": "Berichts",
    "Fass mir das Dokument bitte kurz zusammen.": "",
    "Kannst du diesen Text zusammenfassen?": "",
    "Zusammenfassung des Berichts": "Berichts",
    "Gib mir eine kurze Zusammenfassung": "",
    "Was sind die wichtigsten Punkte?": "",
    "Nenne mir die wichtigsten Punkte des Mietvertrags": "Mietvertrags",
    "Was sind die Kernaussagen des Berichts?": "Berichts",
    "Bitte eine Zusammenfassung in drei Sätzen": "",
}
OVERVIEWS = {
    "Tell me what this document is about": "",
    "Explain this document to me": "",
    "Outline this report": "this report",
    "Um was geht es in diesem Dokument?": "",
    "What is this document about?": "",
    "What's it about": "",
    "What is Lease.pdf about?": "Lease.pdf",
    "What are these papers about?": "",
    "What does this report cover?": "this report",
    "What does the file contain?": "",
    "What is in this document?": "",
    "Give me an overview of the handbook": "the handbook",
    "Overview, please": "",
    "Worum geht es?": "",
    "Worum geht es in diesem Dokument?": "",
    "Worum geht's hier": "",
    "Wovon handelt der Bericht?": "der Bericht",
    "Was steht in diesem Dokument?": "",
    "Was steht im Vertrag?": "Vertrag",
    "Was steht im Mietvertrag?": "Mietvertrag",
    "Was ist der Inhalt dieses Dokuments?": "",
    "Gib mir einen Überblick über die Unterlagen": "",
}
COMPARISONS = {
    "What's the difference between A.pdf and B.pdf?": ("A.pdf and B.pdf", ""),
    "Differences between the two offers": ("the two offers", ""),
    "Stelle die beiden Angebote gegenüber": ("die beiden Angebote", ""),
    "Compare the two offers": ("the two offers", ""),
    "Compare Offer A.pdf and Offer B.pdf with regard to price": ("Offer A.pdf and Offer B.pdf", "price"),
    "What are the differences between the old and the new lease?": ("the old and the new lease", ""),
    "How does the first offer differ from the second?": ("the first offer and the second", ""),
    "How do these documents differ?": ("", ""),
    "Compare them regarding delivery": ("", "delivery"),
    "Vergleiche die beiden Angebote": ("die beiden Angebote", ""),
    "Vergleiche die Angebote hinsichtlich der Lieferzeit": ("die Angebote", "Lieferzeit"),
    "Was sind die Unterschiede zwischen den Verträgen?": ("den Verträgen", ""),
    "Worin unterscheiden sich die beiden Angebote?": ("die beiden Angebote", ""),
}
LISTS = {
    "Alle Termine auflisten": "Termine",
    "Erstelle eine Liste aller Kosten": "Kosten",
    "List all deadlines": "deadlines",
    "List the parties": "parties",
    "Please list all the amounts in the contract": "amounts in the contract",
    "Give me a list of all fees": "fees",
    "Name all tenants": "tenants",
    "What are all the deadlines?": "deadlines",
    "Which deadlines are mentioned?": "deadlines",
    "What fees are there in the handbook?": "fees in the handbook",
    "Find every clause about pets": "clause about pets",
    "A list of all dates": "dates",
    "Liste alle Fristen auf": "Fristen",
    "Liste bitte alle Beträge auf": "Beträge",
    "Nenne alle Vertragsparteien": "Vertragsparteien",
    "Welche Fristen gibt es?": "Fristen",
    "Welche Kosten werden genannt?": "Kosten",
    "Zähle alle Pflichten des Mieters auf": "Pflichten des Mieters",
}
FACTS = (
    "What does it cover?",
    "What do they contain?",
    "Digest size?",
    "Recap fee?",
    "Stelle die Uhr",
    "stell den Wecker",
    "Tell me what the pump costs",
    "Explain the pump",
    "What is the list price of the pump?",
    "list price of the pump?",
    "List price?",
    "What is the total?",
    "How much is the rent?",
    "Who wrote the summary?",
    "When was the summary published?",
    "What does the summary say about costs?",
    "What is the executive summary's date?",
    'Who wrote "Compare and Contrast"?',
    'What does "List all deadlines" mean?',
    "Is there a list of all deadlines?",
    "Where is the list of parts?",
    "How many rooms are there in all?",
    "What is the main finding?",
    "What is the most important deadline?",
    "What are the deadlines for the appeal?",
    "Name the landlord",
    "Who compared the two offers?",
    "Which offer is cheaper?",
    "Is the summary signed?",
    "What is the purpose of the pump?",
    "What does the insurance cover?",
    "What is in the box?",
    "Did they summarise the lease?",
    "How are the results summarised?",
    "Tell me all about pets",
    "List all documents",
    "Show me all files about pumps",
    "Describe the pump",
    "What does clause 7 say?",
    "What is overview mode?",
    "The tenant has moved out. Summarise the lease.",
    "Why was the digest withdrawn?",
    "What should I know about pumps?",
    "What are the points of the compass?",
    "How is the comparison carried out?",
    "Does the report differ from the draft?",
    "Wie hoch ist die Miete?",
    "Was steht im Vertrag über Haustiere?",
    "Was ist der Inhalt der Flasche?",
    "Wer hat die Zusammenfassung geschrieben?",
    "Wann endet die Frist?",
    "Was kostet die Pumpe laut Liste?",
    "Welche Frist gilt?",
    "Welches Angebot ist günstiger?",
    "Was steht in der Satzung über Beiträge?",
    "Wo liegt die Liste der Teile?",
    "Wurde der Vertrag zusammengefasst?",
    "Was ist der wichtigste Punkt?",
    "Worum bittet der Mieter?",
    "Was vergleicht die Studie?",
    "Ist eine Übersicht beigefügt?",
    "Was ist eine Zusammenfassung?",
    "",
    "?",
)


def test_there_are_enough_cases_both_ways():
    assert len(SUMMARIES) + len(OVERVIEWS) + len(COMPARISONS) + len(LISTS) >= 60
    assert len(FACTS) >= 50


@pytest.mark.parametrize("question", SUMMARIES)
def test_a_request_to_sum_up(question):
    found = errand(question)
    assert found is not None
    assert (found.kind, found.matter) == ("summary", SUMMARIES[question])


@pytest.mark.parametrize("question", OVERVIEWS)
def test_what_a_document_is_about(question):
    found = errand(question)
    assert found is not None
    assert (found.kind, found.matter) == ("overview", OVERVIEWS[question])


@pytest.mark.parametrize("question", COMPARISONS)
def test_a_comparison_and_what_it_is_limited_to(question):
    found = errand(question)
    assert found is not None
    assert (found.kind, (found.matter, found.aspect)) == ("comparison", COMPARISONS[question])


@pytest.mark.parametrize("question", LISTS)
def test_what_is_to_be_listed(question):
    found = errand(question)
    assert found is not None
    assert (found.kind, found.matter) == ("list", LISTS[question])


@pytest.mark.parametrize("question", FACTS)
def test_a_question_about_one_fact_is_none(question):
    assert errand(question) is None


def test_an_aspect_is_told_from_the_document():
    found = errand("Summarise what Lease.pdf says about pets")
    assert found == Errand("summary", "Lease.pdf", "pets")
    assert errand("Summarise the offers with a focus on cost").aspect == "cost"
    assert errand("Summarise what they say about pets with regard to fees").aspect == "pets fees"


def test_each_quote_stays_where_it_stands():
    found = errand('Compare "Offer A" and "Offer B" with respect to "price"')
    assert (found.matter, found.aspect) == ('"Offer A" and "Offer B"', '"price"')
    found = errand('Summarise what "Lease" says about "pets" and "fees"')
    assert (found.matter, found.aspect) == ('"Lease"', '"pets" and "fees"')
    assert errand('How does "A" differ from "B"?').matter == '"A" and "B"'


def test_this_and_all_are_noticed():
    assert errand("Summarise this").pointing
    assert errand("What is it about?").pointing
    assert errand("Worum geht es in diesem Dokument?").pointing
    assert not errand("Summarise the lease").pointing
    assert errand("Summarise all documents").every
    assert errand("Fasse alle Dokumente zusammen").every


def test_what_only_a_document_can_be_meant_by_is_marked():
    assert errand("What is the clause about?").named_only
    assert errand("What are the main points of the dispute?").named_only
    assert not errand("Summarise the dispute").named_only


def test_a_long_or_hostile_question_is_settled_at_once():
    assert errand("summarise " + "a " * 20_000) is None
    assert errand("list all " + "(" * 5_000) is None
    assert errand("what is " * 3_000 + "about") is None
