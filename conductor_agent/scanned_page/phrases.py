"""What the pages say: sentence templates in three languages, and the words a reader should know.

No accents, umlauts or sharp s: the font that comes with Pillow does not draw them all.
"""

from __future__ import annotations

import re

TITLES = {
    "en": "Delivery note {n} of the {place}",
    "de": "Lieferschein {n} aus der {place}",
    "fr": "Bon de livraison {n} de la {place}",
}
TOTALS = {
    "en": "Total {total} Check {check}",
    "de": "Summe {total} Ziffer {check}",
    "fr": "Somme {total} Chiffre {check}",
}
SENTENCES = {
    "en": [
        "The {place} received {n} boxes of {thing} on {day}.",
        "We still need {n} pieces of {thing} before the winter.",
        "On {day} the driver left {n} crates with {thing} behind the {place}.",
        "Please return {n} empty bottles to the {place} next week.",
        "Our customer ordered {n} bags of {thing} for the new {place}.",
        "There were {n} broken lamps under the {thing} in the cellar.",
        "About {n} kilos of {thing} must be weighed again.",
        "The old {place} sold {n} books and some {thing} last {day}.",
        "Nobody counted the {n} sheets of {thing} in the {place}.",
    ],
    "de": [
        "Die {place} hat am {day} genau {n} Kisten mit {thing} erhalten.",
        "Wir brauchen noch {n} Pakete mit {thing} vor dem Winter.",
        "Am {day} hat der Fahrer {n} Tonnen neben der {place} gelassen.",
        "Bitte senden Sie {n} leere Flaschen an die {place}.",
        "Der Kunde bestellt {n} Beutel {thing} und eine Rechnung.",
        "Unter dem Tisch lagen {n} alte Lampen und viel {thing}.",
        "Etwa {n} Kilo {thing} werden morgen noch einmal gewogen.",
        "In der {place} sind am {day} wieder {n} Bretter zerbrochen.",
        "Niemand hat die {n} Rollen {thing} in der {place} gesehen.",
    ],
    "fr": [
        "La {place} a pris {n} cartons de {thing} ce {day}.",
        "Nous voulons encore {n} sacs de {thing} avant le printemps.",
        "Le chauffeur a mis {n} caisses de {thing} devant la {place}.",
        "Merci de rendre {n} bouteilles vides dans la {place}.",
        "Notre client demande {n} livres et du {thing} pour {day}.",
        "Sous la table il y avait {n} lampes et du {thing}.",
        "Environ {n} kilos de {thing} seront sur le bateau {day}.",
        "La vieille {place} a vendu {n} tapis le {day} suivant.",
        "Personne ne trouve les {n} feuilles de {thing} dans la {place}.",
    ],
}
WORDS = {
    "en": {
        "place": "bakery factory library station hospital museum harbour school".split(),
        "thing": "paper sugar coffee copper timber glass cotton pepper".split(),
        "day": "Monday Tuesday Wednesday Thursday Friday Saturday".split(),
    },
    "de": {
        "place": "Fabrik Werkstatt Schule Klinik Brauerei Druckerei Bibliothek Gemeinde".split(),
        "thing": "Papier Zucker Kaffee Kupfer Leder Honig Pfeffer Wolle".split(),
        "day": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag".split(),
    },
    "fr": {
        "place": "gare fabrique boulangerie mairie banque boutique ferme clinique".split(),
        "thing": "papier sucre cuivre coton poivre miel savon vin".split(),
        "day": "lundi mardi mercredi jeudi vendredi samedi".split(),
    },
}
COMMON = {
    "en": "a about after all also an and any are as at be been but by can each for from had has "
    "have he her his if in into is it its more most no not of on one only or other our "
    "out over she so some than that the their them then there these they this to two up "
    "was we were what when which will with you",
    "de": "aber alle als am an auch auf aus bei bis das dass dem den der des die doch durch ein "
    "eine einem einen einer er es hat haben hier ich ihr im in ist kann kein man mehr mit "
    "nach nicht noch nur oder sehr sich sie sind so um und uns unter vom von vor war was "
    "weil wenn wer wie wieder wir wird zu zum zur",
    "fr": "a ai alors au aussi autre aux avec avant bien car ce cela ces cette chez comme "
    "comment dans de des deux dont du elle elles en encore est et eux il ils je la le les "
    "leur lui mais me mes moins mon ne nos notre nous on ou par pas pour plus quand que "
    "qui sa sans se ses si son sont sur te tout tu un une vous y",
}


def words_of(language: str) -> frozenset[str]:
    """Every lower-case word this language's pages may hold, and its most common words."""
    texts = [*SENTENCES[language], TITLES[language], TOTALS[language], COMMON[language]]
    texts += [" ".join(words) for words in WORDS[language].values()]
    plain = re.sub(r"\{\w+\}", " ", " ".join(texts))
    return frozenset(re.findall(r"[a-z]+", plain.lower()))


VOCABULARY = {language: words_of(language) for language in SENTENCES}


def check_digit(total: int) -> int:
    """The last figure of the digits weighted 7, 3, 1 in turn: one wrong digit always shows."""
    return sum(int(digit) * (7, 3, 1)[i % 3] for i, digit in enumerate(str(total))) % 10
