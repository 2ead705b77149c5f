"""How results are compared and printed."""

import statistics


def say(text):
    print(text, flush=True)


def held(packed, is_held):
    if not packed.is_full_size:
        return "not judged, of fewer rows"
    return "held" if is_held else "NOT HELD"


def number(value):
    """Three digits or more, no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def spread(values):
    """'median', 'min-max'."""
    least, most = number(min(values)), number(max(values))
    return number(statistics.median(values)), f"{least}-{most}"


def disagreements(stated):
    """`stated`: (who, {name: value}) each. Texts, one for each name whose values differ."""
    said = {}
    for who, values in stated:
        for name, value in values.items():
            said.setdefault(name, {}).setdefault(value, set()).add(who)
    texts = []
    for name, by_value in said.items():
        if len(by_value) > 1:
            words = [f"{value} says {','.join(sorted(who))}" for value, who in by_value.items()]
            texts.append(f"{name}: {'; '.join(words)}")
    return texts
