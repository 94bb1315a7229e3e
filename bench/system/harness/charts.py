"""Charts as inline SVG, from points. Pure functions; nothing is loaded from anywhere."""
import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 320, 64, 16, 30, 46
COLOURS = {"ringcast": "#d62728", "limit": "#222222", "bun": "#1f77b4", "ws": "#2ca02c", "gorilla": "#9467bd",
           "nchan": "#ff7f0e", "nats": "#17a2b8"}


def colour(system):
    return COLOURS.get(system, "#888888")


def tick_text(value):
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def log_ticks(low, high):
    """1, 2, 5 times powers of ten from low to high; powers alone where that would be many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    made = [step * 10.0 ** power for power in range(first, last + 1) for step in steps]
    return [tick for tick in made if low * 0.999 <= tick <= high * 1.001]


def frame(title, x_label, y_label):
    return (f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">'
            f'<text x="{LEFT}" y="18" class="title">{html.escape(title)}</text>'
            f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" class="label">{html.escape(x_label)}</text>'
            f'<text x="14" y="{(TOP + HEIGHT - BOTTOM) / 2:.0f}" class="label" '
            f'transform="rotate(-90 14 {(TOP + HEIGHT - BOTTOM) / 2:.0f})">{html.escape(y_label)}</text>')


class LogScale:
    """A logarithmic axis from pixel `start` to pixel `end`."""

    def __init__(self, values, start, end):
        low, high = min(values), max(values)
        if high < low * 1.5:
            low, high = low / 1.3, high * 1.3
        self.low, self.high, self.start, self.end = low, high, start, end

    def at(self, value):
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return self.start + min(share, 1.0) * (self.end - self.start)

    def ticks(self):
        return log_ticks(self.low, self.high)


def axes(x_ticks, y_ticks):
    """Lines and texts; ticks are (pixel, text)."""
    parts = []
    for at, text in x_ticks:
        parts.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{HEIGHT - BOTTOM}" class="grid"/>'
                     f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 15}" class="tick">{text}</text>')
    for at, text in y_ticks:
        parts.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" class="grid"/>'
                     f'<text x="{LEFT - 6}" y="{at + 4:.1f}" class="tick side">{text}</text>')
    return "".join(parts)


def line(system, points, dots):
    """A line through pixels; dots: (x, y, filled)."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    made = f'<polyline points="{path}" fill="none" stroke="{colour(system)}" stroke-width="1.8"/>'
    for x, y, filled in dots:
        fill = colour(system) if filled else "white"
        made += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{fill}" stroke="{colour(system)}"/>'
    return f'<g><title>{html.escape(system)}</title>{made}</g>'


def curve_chart(title, curves, key, y_label, mark=None):
    """Throughput curves: what came of each offered rate. Filled dots: complete runs. mark: a line across, at this y."""
    drawn = {system: sorted((point["rate"], point[key], point["ok"] and (point["held_back"] or 0) <= 0.01)
                            for point in points if point.get(key)) for system, points in curves.items()}
    drawn = {system: points for system, points in drawn.items() if points}
    if not drawn:
        return ""
    everything = [point for points in drawn.values() for point in points]
    x = LogScale([rate for rate, _, _ in everything], LEFT, WIDTH - RIGHT)
    y = LogScale([value for _, value, _ in everything] + ([mark] if mark else []), HEIGHT - BOTTOM, TOP)
    parts = [frame(title, "offered, messages a second", y_label),
             axes([(x.at(tick), tick_text(tick)) for tick in x.ticks()],
                  [(y.at(tick), tick_text(tick)) for tick in y.ticks()])]
    if mark:
        height = f"{y.at(mark):.1f}"
        parts.append(f'<line x1="{LEFT}" y1="{height}" x2="{WIDTH - RIGHT}" y2="{height}" class="mark"/>')
    for system, points in drawn.items():
        means = {}
        for rate, value, _ in points:
            means.setdefault(rate, []).append(value)
        through = [(x.at(rate), y.at(sorted(values)[len(values) // 2])) for rate, values in sorted(means.items())]
        parts.append(line(system, through, [(x.at(rate), y.at(value), ok) for rate, value, ok in points]))
    return "".join(parts) + "</svg>"


def distribution_chart(title, curves):
    """Latency by percentile: to the right the rare, on a scale of 1 in 10, 1 in 100, ..."""
    drawn = {}
    for system, curve in curves.items():
        points = [(share, latency) for share, latency in curve["points"] if 0 <= share < 1 and latency > 0]
        if points:
            drawn[system] = points
    if not drawn:
        return ""
    nines = max(-math.log10(1 - share) for points in drawn.values() for share, _ in points)
    nines = min(max(nines, 1.0), 6.0)
    y = LogScale([latency for points in drawn.values() for _, latency in points], HEIGHT - BOTTOM, TOP)

    def at(share):
        return LEFT + min(-math.log10(1 - share), nines) / nines * (WIDTH - RIGHT - LEFT)
    labels = ((0.0, "0"), (0.5, "50%"), (0.9, "90%"), (0.99, "99%"), (0.999, "99.9%"), (0.9999, "99.99%"),
              (0.99999, "99.999%"))
    parts = [frame(title, "share of the deliveries", "latency, ms"),
             axes([(at(share), text) for share, text in labels if -math.log10(1 - share) <= nines + 1e-9],
                  [(y.at(tick), tick_text(tick)) for tick in y.ticks()])]
    for system, points in drawn.items():
        parts.append(line(system, [(at(share), y.at(latency)) for share, latency in sorted(points)], []))
    return "".join(parts) + "</svg>"


def legend(systems, titles):
    return "".join(f'<span class="key"><i style="background:{colour(system)}"></i>'
                   f"{html.escape(titles.get(system, system))}</span>" for system in systems)
