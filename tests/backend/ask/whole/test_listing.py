import pytest

from app.backend.ask.whole.listing import wanted

HELD = (
    ("deadlines", "Notice must be given no later than 14 days before."),
    ("Fristen", "Die Einladung ergeht mindestens zwei Wochen vorher."),
    ("deadlines", "Rent is paid one month in advance."),
    ("amounts", "The deposit is 2,360 euros."),
    ("Beträge", "Der Beitrag beträgt 48 € im Jahr."),
    ("decisions", "The board approved the budget unanimously."),
    ("Beschlüsse", "Der Vorstand beschließt den Haushalt."),
    ("questions", "Who will pay for the roof?"),
    ("definitions", "“Premises” means the flat and the cellar."),
    ("phone numbers", "Call +49 6221 55 01 23 in an emergency."),
    ("links", "See https://example.org for the form."),
    ("e-mail addresses", "Write to office@example.org."),
    ("people", "The minutes were taken by Priya Raman."),
    ("obligations of the tenant", "The tenant must air the rooms."),
    ("obligations", "In an emergency, the landlord repairs it."),
    ("Pflichten des Mieters", "Der Mieter lüftet und heizt die Räume."),
    ("bans", "Dogs may not be left alone."),
    ("Organe", "Organe des Vereins sind der Vorstand und die Versammlung."),
    ("keys", "Three keys were handed over."),
)
NOT_HELD = (
    ("deadlines", "The garage costs 85 euros."),
    ("deadlines", "The lease is by the landlord."),
    ("amounts", "The flat has three rooms."),
    ("decisions", "The roof leaks."),
    ("questions", "It was asked who would pay."),
    ("phone numbers", "It was built in 1998 and 2004."),
    ("obligations of the tenant", "The landlord must heat the rooms."),
    ("obligations of the tenant", "The tenant may use the garden."),
    ("obligations", "The tenant is J. Albrecht."),
    ("obligations", "The letters were sent by the tenants."),
    ("Organe", "Der Ausflug wird gut organisiert."),
    ("keys", "The windows were cleaned."),
)


@pytest.mark.parametrize(("matter", "sentence"), HELD)
def test_a_sentence_that_holds_what_is_listed(matter, sentence):
    assert wanted(matter).held_by(sentence, "")


@pytest.mark.parametrize(("matter", "sentence"), NOT_HELD)
def test_a_sentence_that_does_not(matter, sentence):
    assert not wanted(matter).held_by(sentence, "")


def test_the_heading_above_counts_for_words_and_not_for_a_form():
    assert wanted("amounts for the garage").held_by("It costs 85 euros.", "Garage")
    assert not wanted("amounts").held_by("It is in the courtyard.", "Costs")
