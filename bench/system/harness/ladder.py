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


HOLDS, LATE, OVER = "holds", "late", "over"  # late: all arrived, too slowly; over: more than the server takes
LATE_BY_FAR, OVER_BY_FAR = "late by far", "over by far"  # so much that a disturbance is no explanation
LATE_WEIGHTS = {LATE: 1, LATE_BY_FAR: 2}
STRIDE = 3  # rungs, a factor of two
LATE_IN_A_ROW_MAX = 4


def search(ladder, start, verdict, again=True):
    """The index of the highest rung found to hold, or None.

    verdict(rate) is one of the five; asked once a rung, and (`again`) a second time where it was LATE or OVER, but
    not by far: that may be the host's. What is over is over for everything above. What is late is not: a server
    that sends what has gathered is often late where it is just about to gather, and in time again above. So: up
    from `start` in strides until over, or late several times in a row; down in strides if nothing held; then the
    rungs between the best and the next stride.
    """
    known = {}

    def asked(index):
        if index not in known:
            said = OVER_BY_FAR if len(known) >= PROBES_MAX else verdict(ladder[index])
            if again and said in (LATE, OVER) and verdict(ladder[index]) == HOLDS:
                said = HOLDS
            known[index] = said
        return known[index]

    start = max(0, min(start, len(ladder) - 1))
    best, late = None, 0
    for index in range(start, len(ladder), STRIDE):
        said = asked(index)
        best, late = (index, 0) if said == HOLDS else (best, late + LATE_WEIGHTS.get(said, 0))
        if said in (OVER, OVER_BY_FAR) or late >= LATE_IN_A_ROW_MAX:
            break
    below = start
    while best is None and below > 0:
        below = max(0, below - STRIDE)
        best = below if asked(below) == HOLDS else None
    if best is None:
        return None
    for index in range(min(best + STRIDE, len(ladder)) - 1, best, -1):
        if asked(index) == HOLDS:
            return index
    return best
