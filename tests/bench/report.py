"""What came out: a table for people, a CSV for programs, a picture."""
import csv
import re
import statistics
from html import escape

from samples import SLOW

BUSY = 10  # per cent of the cores before it begins
UNITS = {"rate": "MiB/s", "cpu": "CPU s/GiB", "rss": "MiB", "twice": "MiB twice",
         "first": "s to first"}


def medians(samples):
    """The median of each figure, by client. A sample that did not end has a rate,
    the most that it can be, so a median with such ones in it is that, too; its
    other figures are not known, and a failed one has none."""
    out = {}
    for name, values in samples.items():
        keys = dict.fromkeys(key for v in values for key in v.figures)
        got = {key: statistics.median(v.figures[key] for v in values
                                      if key in v.figures) for key in keys}
        if got:
            out[name] = got
    return out


def is_bound(values):
    """The median rate is at most that."""
    return any(v.limit and "rate" in v.figures for v in values)


def note(values, rounds, why=True):
    """What a client's line says beside its figures: what did not come to its end
    (and `why`), and of how many samples they are the median when not of all
    rounds."""
    late = [v.late for v in values if v.limit]
    failed = [v.failed for v in values if v.failed]
    n = len(values)
    parts = []
    if late:
        which = "" if len(late) == n else f"{len(late)} of {n} "
        parts.append(f"{which}{late[-1]}")
    if failed:
        parts.append(f"{len(failed)} of {n} FAILED" +
                     (f": {failed[-1]}" if why else ""))
    if 0 < n - len(failed) < rounds:
        parts.append(f"{n - len(failed)} of {rounds} samples")
    return f"  ({'; '.join(parts)})" if parts else ""


def figure(value):
    """Three digits that matter, no more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 10 else f"{value:.2f}"


def cells(figures, bound=False, width=0):
    """Figures with their units; `bound`: the rate is at most that."""
    return "  ".join(
        ("at most " if bound and key == "rate" else "") +
        f"{figure(value):>{width}} {UNITS.get(key, key)}"
        for key, value in figures.items())


def verdicts(row, result):
    """(text, value, comparison, limit, holds) of each check; value and holds are
    None where a figure is missing."""
    out = []
    for text, compute, comparison, limit in row.checks:
        value = compute(result)
        holds = None
        if value is not None:
            holds = value >= limit if comparison == ">=" else value <= limit
        out.append((text, value, comparison, limit, holds))
    return out


def group(row, samples, rounds):
    """The lines of one row: who, how fast, and whether its aims are reached."""
    result = medians(samples)
    lines = [row.title]
    order = [*result, *(name for name in samples if name not in result)]
    for name in order:
        values = samples[name]
        lines.append((f"  {name:18} " +
                      cells(result.get(name, {}), is_bound(values), 7) +
                      note(values, rounds)).rstrip())
    words = {True: "ok ", False: "NOT", None: "?  "}
    for text, value, comparison, limit, holds in verdicts(row, result):
        told = "not measured" if value is None else figure(value)
        lines.append(f"    {words[holds]}  {text}: {told} "
                     f"(aim {comparison} {limit:g})")
    return "\n".join(lines)


def tally(rows):
    """How many of the aims are reached."""
    all_of_them = [holds for row, samples in rows
                   for *_, holds in verdicts(row, medians(samples))]
    n_open = all_of_them.count(None)
    return (f"aims: {all_of_them.count(True)} of {len(all_of_them)} reached, "
            f"{all_of_them.count(False)} not" +
            (f", {n_open} not measured" if n_open else ""))


def table(rows, rounds):
    """`rows`: (row, samples) pairs. The text of the table."""
    parts = [*(group(row, samples, rounds) for row, samples in rows),
             tally(rows)]
    if any(len(v) < rounds for _, samples in rows for v in samples.values()):
        parts.append("fewer samples than rounds: a peer that did not end in a "
                     "row's first round, or was\nover "
                     f"{SLOW} times slower than btc, is not measured again there")
    return "\n\n".join(parts)


def write_csv(path, rows, head):
    """One line a sample's figure, below comments that say what `head` does."""
    with open(path, "w", newline="", encoding="utf-8") as f:
        for key, value in head.items():
            f.write(f"# {key}: {value}\n")
        out = csv.writer(f)
        out.writerow(["row", "client", "round", "figure", "value"])
        for row, samples in rows:
            for name, values in samples.items():
                for i, sample in enumerate(values):
                    for key, value in flat(sample).items():
                        out.writerow([row.name, name, i, key, f"{value:.6g}"])


def flat(sample):
    """A sample as named numbers."""
    if sample.failed:
        return {"failed": 1}
    if sample.limit:
        out = {"did not end in s": sample.limit}
        if "rate" in sample.figures:
            out["rate at most"] = sample.figures["rate"]
        return out
    return sample.figures


# --- the picture: one group of bars a row ---

BAR, GAP, LEFT, WIDTH = 18, 26, 150, 420
OURS, FLOOR, PEER = "#2a6f97", "#b8c4cc", "#c98b4b"


def color(name):
    if name.startswith("btc"):
        return OURS
    return FLOOR if name in ("floor", "openssl") else PEER


def measure_of(result):
    """What a row is drawn by: speed, where it has one, else what was fetched
    again; the best first. None when it has neither."""
    for key, best_is_large in (("rate", True), ("twice", False)):
        values = {n: m[key] for n, m in result.items() if key in m}
        if values:
            return key, sorted(values.items(), key=lambda item: item[1],
                               reverse=best_is_large)
    return None


def bars(row, samples, rounds, y):
    """The bars of one row from y down, and where the next may begin."""
    result = medians(samples)
    measure = measure_of(result)
    if measure is None:
        return [], y
    key, values = measure
    most = max(value for _, value in values) or 1
    out = [f'<text x="10" y="{y + 14}" class="head">{escape(row.title)}'
           "</text>"]
    y += 22
    for name, value in values:
        width = max(1, WIDTH * value / most)
        shown = {k: result[name][k] for k in (key, "cpu", "first")
                 if k in result[name]}
        text = (cells(shown, is_bound(samples[name])).replace("  ", ", ") +
                note(samples[name], rounds, why=False))
        out += [f'<text x="{LEFT - 8}" y="{y + 13}" class="name">'
                f"{escape(name)}</text>",
                f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR - 4}"'
                f' fill="{color(name)}"/>',
                f'<text x="{LEFT + width + 6:.0f}" y="{y + 12}">'
                f"{escape(text)}</text>"]
        y += BAR
    return out, y + GAP - BAR


def write_svg(path, rows, rounds, captions):
    """Speeds as bars, ours in blue, with what they cost, below lines that say
    when, where and with what versions."""
    body = [f'<text x="10" y="{20 + 16 * i}">{escape(line)}</text>'
            for i, line in enumerate(captions)]
    y = 28 + 16 * len(captions)
    for row, samples in rows:
        part, y = bars(row, samples, rounds, y)
        body += part
    head = ('<svg xmlns="http://www.w3.org/2000/svg" '
            f'width="800" height="{y}" viewBox="0 0 800 {y}">'
            "<style>text{font:12px sans-serif;fill:#222}"
            ".head{font-weight:bold}.name{text-anchor:end}</style>"
            f'<rect width="800" height="{y}" fill="#fff"/>')
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + "\n" + "\n".join(body) + "\n</svg>\n")


def captions(machine, versions, scale):
    """The lines above the figures: when and where (place.machine), who was measured
    (`versions` by client), how (`scale`), and what one must know to read them."""
    m = machine
    lines = [f"{m['date']}, {m['kernel']}, {m['cores']} cores ({m['processor']}), "
             f"{m['memory']}, TCP congestion control {m['tcp']}",
             ", ".join(f"{name} {number(text)}"
                       for name, text in versions.items()),
             f"{scale}; in memory but for the row \"onto the disk\" "
             f"({m['disk']}); medians of one run, compare within a group only"]
    if float(m["busy before"].rstrip(" %")) > BUSY:
        lines.append(f"others used {m['busy before']} of the cores when it "
                     "began: no client had them for itself")
    if m["tcp"].startswith("bbr"):
        lines.append("BBR paces by timers, on loopback, too: rates of serving "
                     "may differ twofold from one start to the next, for all")
    return lines


def number(version):
    """The number in a line that names a version, else the line."""
    found = re.search(r"\d+(\.\d+)+", version)
    return found.group() if found else version
