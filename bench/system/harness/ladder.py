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
DOWN_MAX = 6  # rungs at which a confirmation may fail
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


class Confirmation:
    """Which rung is repeated next: down from `start`, further each time, until one holds; then those passed over.

    index is None when it is over; `held` is the highest rung that held, or None.
    """

    def __init__(self, start):
        self.index = start
        self.held = None
        self.failed = None  # the lowest rung above `held` that did not hold
        self.failures = 0

    def tell(self, holds):
        if holds:
            self.held = self.index
        else:
            self.failed = self.index
        if self.held is None:
            self.failures += 1
            self.index = lower(self.index, min(self.failures, STRIDE)) if self.failures < DOWN_MAX else None
        elif self.failed is None or self.failed - self.held <= 1:
            self.index = None
        else:
            self.index = (self.held + self.failed + 1) // 2


def lower(index, steps):
    """So many rungs down, but not past the lowest, and from there to none at all."""
    return max(0, index - steps) if index > 0 else None
