"""Order books of Binance captures, kept by the rules that the exchange documents; written apart from codec/capture, so
that the two can be compared."""
import gzip
import hashlib
import json
from decimal import Decimal


def read_capture(path):
    """(stream, data as text, data parsed) for each depth update, ("", ..) for each snapshot of the exchange's."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            text = line.split(" ", 1)[1].rstrip("\n")
            if '"depthUpdate"' in text:
                envelope = json.loads(text)
                yield envelope["stream"], envelope["data"]
            elif '"lastUpdateId"' in text:
                yield "", json.loads(text)


class Missing(Exception):
    """An update is missing before this one."""


class Book:
    """Levels by price, as spelled; `last` is the id of the last update in them."""

    def __init__(self, snapshot):
        self.bids, self.asks = dict(snapshot["bids"]), dict(snapshot["asks"])
        self.last = snapshot["lastUpdateId"]

    def _set(self, update):
        for levels, changes in ((self.bids, update["b"]), (self.asks, update["a"])):
            for price, quantity in changes:
                if float(quantity) == 0:
                    levels.pop(price, None)
                else:
                    levels[price] = quantity
        self.last = update["u"]

    def begin(self, update):
        """An update after a snapshot that was taken anywhere: the first that ends behind it must cover it."""
        if update["u"] <= self.last:
            return
        first = update["pu"] + 1 if "pu" in update else update["U"]
        if first > self.last + 1:
            raise Missing(f"the first update covers {first} to {update['u']}, the snapshot ends at {self.last}")
        self._set(update)

    def follow(self, update):
        """The next update, and no other."""
        follows = update["pu"] == self.last if "pu" in update else update["U"] == self.last + 1
        if not follows:
            raise Missing(f"update {update.get('pu', update['U'])} to {update['u']} does not follow {self.last}")
        self._set(update)

    def text(self):
        def side(levels, best_first):
            return [[price, levels[price]] for price in sorted(levels, key=Decimal, reverse=best_first)]
        whole = {"lastUpdateId": self.last, "bids": side(self.bids, True), "asks": side(self.asks, False)}
        return json.dumps(whole, separators=(",", ":"))


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def build(path):
    """The book of a capture with one depth stream, after each of its updates: yields (stream, Book)."""
    held, book = [], None
    for stream, data in read_capture(path):
        if not stream:
            book = Book(data)
            for before, update in held:
                book.begin(update)
            held, stream = [], before
        elif book is None:
            held.append((stream, data))
            continue
        elif held is not None:
            held = None
            book.begin(data)  # the snapshot may lie in the middle of this one
        else:
            book.follow(data)
        yield stream, book
