#!/usr/bin/env python3
"""Writes the demo's feed: made-up attacks in Afghan provinces from 2019-01-01 to 2020-10-24.

    demo/make_feed.py DIRECTORY

Nothing in it happened. It is made so that the 50 days to 2020-10-24 hold 2,000 attacks with 261
civilians killed and 602 wounded. The same bytes come out on every machine.

Three files: one a year, and the corrections that came later, each a newer row on an incident of
the first two. A blank count is one that nobody knew.
"""

import csv
import datetime
import pathlib
import random
import sys

# One number a period of 50 days, from the newest back: attacks, civilians killed, wounded.
# The oldest period is cut off by FIRST_DAY and holds its share.
LAST_DAY = datetime.date(2020, 10, 24)
FIRST_DAY = datetime.date(2019, 1, 1)
PERIOD_DAYS = 50
PERIODS = [
    (2000, 261, 602), (1684, 214, 497), (1512, 236, 455), (1391, 158, 389), (1178, 141, 302),
    (943, 97, 251), (1236, 163, 348), (1547, 229, 611), (1861, 307, 918), (1633, 262, 744),
    (1402, 205, 536), (1187, 148, 377), (1015, 119, 290), (251, 29, 68),
]

# Province, how often it is hit, districts.
PROVINCES = [
    ("Kandahar", 17, ("Arghandab", "Panjwai", "Maywand")),
    ("Helmand", 16, ("Nad Ali", "Nahri Saraj", "Lashkar Gah")),
    ("Nangarhar", 13, ("Achin", "Khogyani", "Jalalabad")),
    ("Ghazni", 12, ("Andar", "Qarabagh", "Deh Yak")),
    ("Kabul", 11, ("Kabul", "Paghman", "Surobi")),
    ("Faryab", 9, ("Qaysar", "Almar", "Maymana")),
    ("Balkh", 9, ("Chimtal", "Balkh", "Char Bolak")),
    ("Herat", 8, ("Shindand", "Obe", "Guzara")),
    ("Kunduz", 8, ("Imam Sahib", "Chahar Dara", "Khanabad")),
    ("Uruzgan", 7, ("Tarinkot", "Dihrawud", "Gizab")),
    ("Zabul", 7, ("Qalat", "Shahjoy", "Arghandab of Zabul")),
    ("Baghlan", 7, ("Baghlan-e Jadid", "Nahrin", "Pul-e Khumri")),
    ("Takhar", 6, ("Khwaja Ghar", "Taloqan", "Ishkamish")),
    ("Badghis", 6, ("Ghormach", "Bala Murghab", "Qala-e Naw")),
    ("Logar", 6, ("Baraki Barak", "Charkh", "Mohammad Agha")),
    ("Wardak", 6, ("Saydabad", "Chak", "Nerkh")),
    ("Laghman", 5, ("Alingar", "Alishang", "Mehtar Lam")),
    ("Kunar", 5, ("Asadabad", "Chapa Dara", "Dangam")),
    ("Paktia", 5, ("Gardez", "Zurmat", "Ahmadabad")),
    ("Paktika", 5, ("Barmal", "Sharan", "Yusuf Khel")),
    ("Khost", 4, ("Khost", "Sabari", "Musa Khel")),
    ("Kapisa", 4, ("Tagab", "Nijrab", "Alasay")),
    ("Badakhshan", 4, ("Jurm", "Warduj", "Fayzabad")),
    ("Jowzjan", 4, ("Qush Tepa", "Faizabad", "Shibirghan")),
    ("Sar-e Pol", 4, ("Sayyad", "Sozma Qala", "Sar-e Pol")),
    ("Farah", 4, ("Bala Buluk", "Bakwa", "Farah")),
    ("Ghor", 3, ("Shahrak", "Dawlatyar", "Firozkoh")),
    ("Parwan", 3, ("Bagram", "Charikar", "Siahgird")),
    ("Samangan", 2, ("Dara-e Suf", "Aybak")),
    ("Nimruz", 2, ("Khash Rod", "Zaranj")),
    ("Daykundi", 2, ("Kajran", "Nili")),
    ("Nuristan", 1, ("Kamdesh", "Wama")),
    ("Panjshir", 1, ("Bazarak", "Paryan")),
    ("Bamyan", 1, ("Kahmard", "Bamyan")),
]
TARGETS = [("security forces", 50), ("civilians", 17), ("government officials", 11),
           ("road users", 9), ("health workers", 3), ("aid workers", 2), ("not known", 8)]
WEAPONS = [("small arms", 40), ("roadside bomb", 29), ("rocket or mortar", 13),
           ("magnetic bomb", 9), ("suicide attack", 2), ("not known", 7)]

COLUMNS = ["incident_no", "date", "province", "district", "target", "weapon", "killed", "wounded",
           "updated_at", "note"]
NOTE = "made up, nothing of this happened"


class Dice:
    """Chance, by random() alone: its sequence is the one that Python promises to keep."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, count):
        return int(self.random() * count)

    def chance(self, percent):
        return self.random() * 100 < percent

    def pick(self, weighted):
        """One entry of a list of (value, weight, ...)."""
        at = self.random() * sum(entry[1] for entry in weighted)
        for entry in weighted:
            at -= entry[1]
            if at < 0:
                return entry
        return weighted[-1]

    def toll(self, most):
        """Mostly one or two, seldom many."""
        return min(most, 16, 1 + int(1.3 / (1.03 - self.random()) - 1.2))


def spread(dice, attacks, key, total, also):
    """Deals a total out over attacks; some of it to those that have `also` victims already."""
    hit = [attack for attack in attacks if also and attack[also]]
    while total > 0:
        choices = hit if hit and dice.chance(45) else attacks
        toll = dice.toll(total)
        choices[dice.below(len(choices))][key] += toll
        total -= toll


def one_attack(dice, first, days):
    province, _, districts = dice.pick(PROVINCES)
    return {
        "day": first + datetime.timedelta(dice.below(days)),
        "province": province,
        "district": districts[dice.below(len(districts))],
        "target": dice.pick(TARGETS)[0],
        "weapon": dice.pick(WEAPONS)[0],
        "killed": 0,
        "wounded": 0,
        "minute": dice.below(24 * 60),
    }


def one_period(dice, first, days, figures):
    count, killed, wounded = figures
    attacks = [one_attack(dice, first, days) for _ in range(count)]
    spread(dice, attacks, "killed", killed, None)
    spread(dice, attacks, "wounded", wounded, "killed")
    for attack in attacks:
        # What nobody knew is blank. Known counts stay: the totals above are those that are known.
        if attack["wounded"] == 0 and dice.chance(22):
            attack["wounded"] = ""
        if attack["killed"] == 0 and dice.chance(3):
            attack["killed"] = ""
    return attacks


def all_attacks(dice):
    attacks = []
    last = LAST_DAY
    for figures in PERIODS:
        first = max(last - datetime.timedelta(PERIOD_DAYS - 1), FIRST_DAY)
        attacks += one_period(dice, first, (last - first).days + 1, figures)
        last = first - datetime.timedelta(1)
    attacks.sort(key=lambda attack: (attack["day"], attack["minute"]))
    return attacks


def row(number, attack, delay_days):
    updated = datetime.datetime.combine(attack["day"], datetime.time(9)) + datetime.timedelta(
        days=delay_days, minutes=attack["minute"])
    return [f"MADEUP-{number:06d}", attack["day"].strftime("%d/%m/%Y"), attack["province"],
            attack["district"], attack["target"], attack["weapon"], attack["killed"],
            attack["wounded"], updated.strftime("%Y-%m-%dT%H:%M:%S"), NOTE]


def first_word(dice, attack):
    """What was known of an attack at first, before its correction."""
    early = dict(attack)
    if dice.chance(60):
        early["wounded"] = ""
    else:
        early["killed"] = (early["killed"] or 0) + 1 + dice.below(3)
    if dice.chance(15):
        early["day"] = max(attack["day"] - datetime.timedelta(1), FIRST_DAY)
    return early


def write(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    dice = Dice(20201024)
    years = {2019: [], 2020: []}
    corrections = []
    for number, attack in enumerate(all_attacks(dice), 1):
        if dice.chance(4):
            corrections.append(row(number, attack, 9 + dice.below(30)))
            attack = first_word(dice, attack)
        years[attack["day"].year].append(row(number, attack, 1))
    for year, rows in years.items():
        write(folder / f"made-up-attacks-{year}.csv", rows)
    write(folder / "made-up-attacks-corrections.csv", corrections)


if __name__ == "__main__":
    main()
