"""What came out: a table for people, a CSV for programs, a picture."""
import csv
import datetime
import re
import statistics
from html import escape

UNITS = {"rate": "MiB/s", "cpu": "CPU s/GiB", "rss": "MiB", "twice": "MiB twice",
         "first": "s to first"}


def medians(samples):
    """The median of each figure, by client; failed samples are left out."""
    out = {}
    for name, values in samples.items():
        good = [v for v in values if v is not None]
        if good:
            out[name] = {key: statistics.median(v[key] for v in good)
                         for key in good[0] if all(key in v for v in good)}
    return out


def figure(value):
    """Three digits that matter, no more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 10 else f"{value:.2f}"


def verdicts(row, result):
    """(text, value, comparison, limit, holds) of each check that could be
    computed."""
    out = []
    for text, compute, comparison, limit in row.checks:
        value = compute(result)
        if value is not None:
            holds = value >= limit if comparison == ">=" else value <= limit
            out.append((text, value, comparison, limit, holds))
    return out


def table(rows):
    """`rows`: (row, samples) pairs. The text of the table."""
    lines = []
    for row, samples in rows:
        result = medians(samples)
        lines += ["", row.title]
        for name, m in result.items():
            failed = sum(v is None for v in samples[name])
            cells = "  ".join(f"{figure(v):>7} {UNITS.get(k, k)}"
                              for k, v in m.items())
            lines.append(f"  {name:18} {cells}" +
                         (f"  ({failed} FAILED)" if failed else ""))
        lines += [f"  {name:18} FAILED" for name in samples
                  if name not in result]
        for text, value, comparison, limit, holds in verdicts(row, result):
            lines.append(f"    {'ok  ' if holds else 'NOT '} {text}: "
                         f"{figure(value)} (aim {comparison} {limit:g})")
    return "\n".join(lines).lstrip("\n")


def write_csv(path, rows):
    """One line a sample's figure."""
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(["row", "client", "round", "figure", "value"])
        for row, samples in rows:
            for name, values in samples.items():
                for i, sample in enumerate(values):
                    for key, value in (sample or {"failed": 1}).items():
                        out.writerow([row.name, name, i, key, f"{value:.6g}"])


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


def bars(row, result, y):
    """The bars of one row from y down, and where the next may begin."""
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
        text = f"{figure(value)} {UNITS[key]}"
        for more in ("cpu", "first"):
            if more in result[name]:
                text += f", {figure(result[name][more])} {UNITS[more]}"
        out += [f'<text x="{LEFT - 8}" y="{y + 13}" class="name">'
                f"{escape(name)}</text>",
                f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR - 4}"'
                f' fill="{color(name)}"/>',
                f'<text x="{LEFT + width + 6:.0f}" y="{y + 12}">{text}</text>']
        y += BAR
    return out, y + GAP - BAR


def write_svg(path, rows, captions):
    """Speeds as bars, ours in blue, with what they cost, below lines that say
    when, where and with what versions."""
    body = [f'<text x="10" y="{20 + 16 * i}">{escape(line)}</text>'
            for i, line in enumerate(captions)]
    y = 28 + 16 * len(captions)
    for row, samples in rows:
        part, y = bars(row, medians(samples), y)
        body += part
    head = ('<svg xmlns="http://www.w3.org/2000/svg" '
            f'width="800" height="{y}" viewBox="0 0 800 {y}">'
            "<style>text{font:12px sans-serif;fill:#222}"
            ".head{font-weight:bold}.name{text-anchor:end}</style>"
            f'<rect width="800" height="{y}" fill="#fff"/>')
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + "\n" + "\n".join(body) + "\n</svg>\n")


def captions(cores, versions):
    """When and where, and who was measured; `versions` by client."""
    today = datetime.date.today().isoformat()
    return [f"{today}, {cores} cores, in memory but for the row \"onto the disk\"; "
            "medians of one run, compare within a group only",
            ", ".join(f"{name} {number(text)}"
                      for name, text in versions.items())]


def number(version):
    """The number in a line that names a version, else the line."""
    found = re.search(r"\d+(\.\d+)+", version)
    return found.group() if found else version
