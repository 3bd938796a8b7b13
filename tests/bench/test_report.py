#!/usr/bin/python3
"""The arithmetic of the bench: what a sample comes to, who is measured again,
medians, ratios, what a table, a CSV and a picture say of all that."""
import csv
import pathlib
import tempfile
import unittest
import xml.dom.minidom

import report
from rows import ROWS, Row, beside, beside_best, best_peer, own
from samples import Rounds, Sample, is_hopeless, take
from stage import Failed, Unfinished


def rates(*values):
    return [Sample({"rate": v, "cpu": 100 / v}) for v in values]


def stopped(seconds, mib):
    return Sample({"rate": mib / seconds}, limit=seconds,
                  late=str(Unfinished(seconds)))


def row(*checks):
    return Row("download", "download it", None, checks, None)


class Client:
    def __init__(self, name, is_peer=True):
        self.name, self.is_peer = name, is_peer
        self.is_ours = name == "btc"


def raises(error):
    raise error


class Take(unittest.TestCase):
    def test_figures(self):
        self.assertEqual(take(lambda: {"rate": 3, "rss": None}),
                         Sample({"rate": 3}))

    def test_cannot(self):
        self.assertIsNone(take(lambda: None))

    def test_unfinished_is_a_bound(self):
        got = take(lambda: raises(Unfinished(64)), 128)
        self.assertEqual(got, stopped(64, 128))
        got = take(lambda: raises(Unfinished(64, "was not ready")))
        self.assertEqual(got, Sample({}, limit=64,
                                     late="was not ready in 64 s"))

    def test_failed(self):
        got = take(lambda: raises(Failed("why")), 128)
        self.assertEqual(got, Sample({}, failed="why"))
        got = take(lambda: raises(OSError(28, "No space left")), 128)
        self.assertEqual(got, Sample({}, failed="OSError: [Errno 28] No space "
                                                "left"))


class Hopeless(unittest.TestCase):
    def test_ten_times(self):
        ours, = rates(1000)
        for rate, expected in ((99.9, True), (100, False), (5000, False)):
            self.assertIs(is_hopeless(rates(rate)[0], ours), expected, rate)

    def test_nothing_to_compare(self):
        self.assertFalse(is_hopeless(rates(1)[0], None))
        self.assertFalse(is_hopeless(rates(1)[0], Sample({"twice": 1})))
        self.assertFalse(is_hopeless(Sample({"twice": 9}), rates(1000)[0]))
        self.assertFalse(is_hopeless(Sample({}, failed="x"), rates(1000)[0]))

    def test_not_ended(self):
        self.assertTrue(is_hopeless(stopped(60, 6000), rates(10)[0]))


class RoundsOf(unittest.TestCase):
    def run_rounds(self, script, patient=False):
        """`script`: {client: its figures or error, round by round}."""
        told, calls = [], []
        left = {name: list(steps) for name, steps in script.items()}

        def measure(client, folder):
            self.assertTrue(pathlib.Path(folder).is_dir())
            calls.append(client.name)
            step = left[client.name].pop(0)
            return raises(step) if isinstance(step, Exception) else step

        with tempfile.TemporaryDirectory() as work:
            rounds = Rounds(3, work, lambda name, *_: told.append(name),
                            patient)
            rounds.each([Client(n, n not in ("btc", "floor")) for n in script],
                        measure, 100)
            self.assertEqual(list(pathlib.Path(work).iterdir()), [])
        return rounds.samples, calls, told

    def test_all_in_turns(self):
        rate = [{"rate": r} for r in (1, 2, 3)]
        samples, calls, told = self.run_rounds({"btc": rate, "aria2": rate})
        self.assertEqual(calls, ["btc", "aria2"] * 3)
        self.assertEqual(told, calls)
        self.assertEqual(samples["aria2"], [Sample(r) for r in rate])

    def test_slow_ones_once(self):
        fast = [{"rate": 1000}] * 3
        script = {"floor": [{"rate": 1}] * 3, "btc": fast,
                  "slow": [{"rate": 99}], "near": [{"rate": 101}] * 3,
                  "stuck": [Unfinished(50)]}
        samples, *_ = self.run_rounds(script)
        self.assertEqual({n: len(s) for n, s in samples.items()},
                         {"floor": 3, "btc": 3, "slow": 1, "near": 3,
                          "stuck": 1})
        self.assertEqual(samples["stuck"], [stopped(50, 100)])

    def test_patience(self):
        samples, *_ = self.run_rounds(
            {"btc": [{"rate": 1000}] * 3, "slow": [{"rate": 1}] * 3,
             "stuck": [Unfinished(50)] * 3}, patient=True)
        self.assertEqual([len(s) for s in samples.values()], [3, 3, 3])

    def test_slow_in_a_later_round(self):
        """Only then is it known: it is not measured after that."""
        samples, *_ = self.run_rounds(
            {"btc": [Failed("x"), {"rate": 1000}, {"rate": 1000}],
             "slow": [{"rate": 9}, {"rate": 8}]})
        self.assertEqual([len(s) for s in samples.values()], [3, 2])

    def test_failures_stay(self):
        """Who fails may do better next time, ours is measured whatever it
        does."""
        samples, *_ = self.run_rounds(
            {"btc": [Unfinished(5), Failed("x"), {"rate": 7}],
             "aria2": [Failed("y"), {"rate": 5}, Failed("z")]})
        self.assertEqual([len(s) for s in samples.values()], [3, 3])

    def test_cannot(self):
        samples, calls, _ = self.run_rounds({"btc": [{"rate": 1}] * 3,
                                             "other": [None]})
        self.assertEqual(list(samples), ["btc"])
        self.assertEqual(calls.count("other"), 1)


class Medians(unittest.TestCase):
    def test_odd_and_even(self):
        got = report.medians({"a": rates(5, 1, 3), "b": rates(4, 2)})
        self.assertEqual(got["a"]["rate"], 3)
        self.assertEqual(got["b"]["rate"], 3)

    def test_failed_are_left_out(self):
        bad = Sample({}, failed="x")
        got = report.medians({"a": [bad, *rates(5, 1, 3)], "b": [bad]})
        self.assertEqual(got["a"]["rate"], 3)
        self.assertNotIn("b", got)

    def test_bounds(self):
        """The true rate is anything up to the bound: so is the median."""
        got = report.medians({"a": [*rates(5, 1), stopped(10, 40)]})
        self.assertEqual(got["a"]["rate"], 4)
        self.assertEqual(got["a"]["cpu"], (100 / 5 + 100 / 1) / 2)
        self.assertNotIn("cpu", report.medians({"a": [stopped(1, 1)]})["a"])

    def test_unfinished_without_a_rate(self):
        self.assertEqual(report.medians({"a": [Sample({}, limit=60)]}), {})


class Ratios(unittest.TestCase):
    medians = {"btc": {"rate": 900, "cpu": 1.5, "rss": 40},
               "floor": {"rate": 1000, "cpu": 1.2},
               "aria2": {"rate": 165, "cpu": 2.2},
               "rtorrent": {"rate": 450, "cpu": 2.5},
               "transmission": {"rate": 17}, "btc 1": {"rate": 9999}}

    def test_best_peer(self):
        """Neither ours nor the floor is a peer."""
        self.assertEqual(best_peer(self.medians, "rate"), 450)
        self.assertEqual(best_peer(self.medians, "cpu", min), 2.2)
        self.assertIsNone(best_peer({"btc": {"rate": 1}}, "rate"))

    def test_beside(self):
        self.assertEqual(beside("floor", "rate")(self.medians), 0.9)
        self.assertEqual(beside_best("rate")(self.medians), 2)
        self.assertIsNone(beside("openssl", "rate")(self.medians))
        self.assertIsNone(beside("transmission", "cpu")(self.medians))
        self.assertIsNone(beside_best("rate")({"aria2": {"rate": 1}}))
        self.assertEqual(own("rss")(self.medians), 40)

    def test_verdicts(self):
        checks = row(("a", own("rate"), ">=", 900), ("b", own("rate"), ">=", 901),
                     ("c", own("cpu"), "<=", 1.5), ("d", own("cpu"), "<=", 1.4),
                     ("e", own("none"), "<=", 1))
        got = [v[-1] for v in report.verdicts(checks, self.medians)]
        self.assertEqual(got, [True, False, True, False, None])

    def test_every_row_copes_with_nothing(self):
        """A client that failed or did not end has no figures to compare."""
        for r in ROWS:
            for medians in ({}, {"btc": {}}, {"btc": {}, "aria2": {}},
                            {"btc, 20 peers": {}, "btc, 2000 peers": {}}):
                for verdict in report.verdicts(r, medians):
                    self.assertIsNone(verdict[-1], (r.name, verdict))


class Told(unittest.TestCase):
    samples = {"btc": rates(900, 1000, 950), "aria2": rates(80),
               "transmission": [stopped(60, 1024)],
               "rtorrent": [*rates(400, 500), Sample({}, failed="no data")],
               "libtorrent": [Sample({}, failed="is <broken>")] * 3}
    rows = [(row(("speed", own("rate"), ">=", 940),
                 ("best", beside_best("rate"), ">=", 3),
                 ("lost", own("lost"), "<=", 1)), samples)]

    def line(self, client):
        text = report.table(self.rows, 3)
        return next(line for line in text.splitlines()
                    if line.startswith(f"  {client} "))

    def test_counts(self):
        self.assertNotIn("(", self.line("btc"))
        self.assertIn("950 MiB/s", self.line("btc"))
        self.assertIn("(1 of 3 samples)", self.line("aria2"))
        self.assertIn("(1 of 3 FAILED: no data; 2 of 3 samples)",
                      self.line("rtorrent"))
        self.assertIn("450 MiB/s", self.line("rtorrent"))
        self.assertIn("3 of 3 FAILED: is <broken>", self.line("libtorrent"))
        self.assertNotIn("samples", self.line("libtorrent"))

    def test_bound(self):
        line = self.line("transmission")
        self.assertRegex(line, r"at most +17\.1 MiB/s")
        self.assertIn("(did not end in 60 s; 1 of 3 samples)", line)
        self.assertNotIn("FAILED", line)

    def test_some_ended(self):
        got = report.note([*rates(5), stopped(60, 60), stopped(60, 60)], 3)
        self.assertEqual(got, "  (2 of 3 did not end in 60 s)")

    def test_aims(self):
        text = report.table(self.rows, 3)
        self.assertIn("ok   speed: 950 (aim >= 940)", text)
        self.assertIn("NOT  best: 2.11 (aim >= 3)", text)
        self.assertIn("?    lost: not measured (aim <= 1)", text)
        self.assertIn("aims: 1 of 3 reached, 1 not, 1 not measured", text)

    def test_csv(self):
        with tempfile.TemporaryDirectory() as folder:
            report.write_csv(f"{folder}/a.csv", self.rows, {"tcp": "bbr"})
            with open(f"{folder}/a.csv", newline="", encoding="utf-8") as f:
                self.assertEqual(f.readline(), "# tcp: bbr\n")
                lines = [tuple(line.values()) for line in csv.DictReader(f)]
        for expected in (("download", "btc", "1", "rate", "1000"),
                         ("download", "transmission", "0", "rate at most",
                          "17.0667"),
                         ("download", "transmission", "0", "did not end in s",
                          "60"),
                         ("download", "rtorrent", "2", "failed", "1")):
            self.assertIn(expected, lines)

    def test_picture(self):
        with tempfile.TemporaryDirectory() as folder:
            report.write_svg(f"{folder}/a.svg", self.rows, 3, ["a < b"])
            with open(f"{folder}/a.svg", encoding="utf-8") as f:
                text = f.read()
        xml.dom.minidom.parseString(text)
        self.assertIn("at most 17.1 MiB/s", text)
        self.assertIn("(1 of 3 samples)", text)


class Captions(unittest.TestCase):
    machine = {"date": "today", "kernel": "Linux 6", "cores": "2",
               "processor": "it", "memory": "8 GiB", "busy before": "3 %",
               "tcp": "cubic", "disk": "ext4"}

    def test_what_must_be_known(self):
        """A busy machine and a congestion control that paces are told."""
        for more, expected in (({}, 3), ({"busy before": "11 %"}, 4),
                               ({"tcp": "bbr"}, 4),
                               ({"busy before": "100 %", "tcp": "bbr"}, 5)):
            lines = report.captions({**self.machine, **more},
                                    {"aria2": "aria2 version 1.36.0"}, "8 MiB")
            self.assertEqual(len(lines), expected, lines)
            self.assertIn("aria2 1.36.0", lines[1])
            self.assertIn(f"TCP congestion control {more.get('tcp', 'cubic')}",
                          lines[0])


class Figures(unittest.TestCase):
    def test_digits(self):
        for value, expected in ((1234.5, "1,234"), (99.94, "99.9"),
                                (12.34, "12.3"), (1.234, "1.23"), (0, "0.00"),
                                (-3.2, "-3.20")):
            self.assertEqual(report.figure(value), expected)


if __name__ == "__main__":
    unittest.main()
