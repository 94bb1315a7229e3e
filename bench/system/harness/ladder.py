"""The search for the highest rate that holds, over a ladder of rates. Pure but for the question that it asks."""

STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
PROBES_MAX = 24


def rungs(lowest, highest):
    """1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12 ... times powers of ten, from lowest to highest."""
    made, power = [], 1
    while power <= highest:
        made += [round(step * power) if power >= 10 else step * power for step in STEPS]
        power *= 10
    return [rate for rate in made if lowest <= rate <= highest]


def nearest(ladder, rate):
    """The index of the highest rung that is not above the rate; the lowest if all are."""
    below = [index for index, rung in enumerate(ladder) if rung <= rate]
    return below[-1] if below else 0


def search(ladder, start, holds):
    """The index of the highest rung that holds, or None if the lowest does not.

    holds(rate) is asked once a rung, a second time where it said no: a single no may be the host's. From `start` in
    steps that double, then by halves; so what holds is taken to hold below, too.
    """
    known = {}

    def asked(index):
        if index not in known:
            if len(known) >= PROBES_MAX:
                return False
            known[index] = bool(holds(ladder[index]) or holds(ladder[index]))
        return known[index]

    low, high = -1, len(ladder)  # what holds, what does not
    index, step = max(0, min(start, len(ladder) - 1)), 1
    if asked(index):
        low = index
        while low + step < len(ladder) and asked(low + step):
            low, step = low + step, step * 2
        high = min(low + step, len(ladder))
    else:
        high = index
        while high - step >= 0 and not asked(high - step):
            high, step = high - step, step * 2
        low = max(high - step, -1)
        if low >= 0 and not asked(low):
            low = -1
        elif low == -1 and high > 0 and not asked(0):
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if asked(middle):
            low = middle
        else:
            high = middle
    return low if low >= 0 else None
