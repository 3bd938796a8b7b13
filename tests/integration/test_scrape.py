#!/usr/bin/env python3
"""Scrapes (BEP 48): what a tracker's answers do not say is asked for, over HTTP
and UDP, seldom; opentracker has the numbers."""
import os

import kit
import lab

lab_benc, lab_fetch = lab.benc, lab.fetch  # `lab` is an argument below


def one_done(lab, tracker, torrent):
    """A seeder, and a peer that has finished its download: the tracker counts
    one."""
    seed = lab.libtorrent(torrent, seed=True).wait_ready()
    tracker.wait_seeds(torrent, 1)
    peer = lab.libtorrent(torrent, peers=[(seed.ip, seed.port)])
    peer.wait_done()
    lab.wait(lambda: tracker.scrape(torrent)[:2] == (2, 1), 30, "its event")


def numbers(lab):
    rows = lab.sql("SELECT seeders, leechers, completed FROM tracker_list")
    return tuple(rows[0]) if rows else None


def serve(lab, torrent):
    """What is there is known before: a seed that still hashes when it announces
    itself is told of as a leecher until the tracker may be asked again."""
    assert lab.btc("add", torrent.path, "-d",
                   os.path.dirname(torrent.source)).code == 0
    assert lab.btc("verify", torrent.info_hash).code == 0
    return lab.start_btc("get", torrent.path, "-d",
                         os.path.dirname(torrent.source), "--seed", "forever")


def test_udp(lab):
    """The announce says who is there, the scrape how many are done."""
    data = lab.make_data("seed/data.bin", 1_000_001)
    tracker = lab.opentracker()
    torrent = lab.make_torrent(data, piece_length=32768,
                               tiers=[[tracker.udp_url]])
    one_done(lab, tracker, torrent)
    btc = serve(lab, torrent)
    lab.wait(lambda: numbers(lab) and numbers(lab)[2] == 1, 30, "the scrape")
    lab.wait(lambda: numbers(lab)[0] == 3, 30, "our own seed")
    shown = lab.btc("trackers", "1", "--json").json()["trackers"][0]
    assert shown["completed"] == 1 and shown["seeders"] == 3, shown
    assert btc.stop() == 0


class Mute:
    """An HTTP tracker that names peers and no number; its scrape is that of
    opentracker."""

    def __init__(self, lab, tracker, path="announce", status=200):
        self.tracker, self.asked, self.status = tracker, [], status
        self.url = lab.http_server(self.answer) + "/" + path

    def answer(self, path, headers):
        del headers
        self.asked.append(path.split("?")[0])
        if path.startswith("/scrape") and self.status == 200:
            return 200, {}, lab_fetch(self.tracker._base + path)
        if path.startswith("/scrape"):
            return self.status, {}, b"no"
        return 200, {}, lab_benc({"interval": 1800, "min interval": 1800,
                                  "peers": b""})


def test_http(lab):
    data = lab.make_data("seed/data.bin", 1_000_001)
    tracker = lab.opentracker()
    torrent = lab.make_torrent(data, piece_length=32768,
                               tiers=[[tracker.url]])
    one_done(lab, tracker, torrent)
    mute = Mute(lab, tracker)
    quiet = lab.make_torrent(data, piece_length=32768, tiers=[[mute.url]],
                             out=lab.path("quiet.torrent"))
    btc = serve(lab, quiet)
    lab.wait(lambda: numbers(lab) == (2, 0, 1), 30, "the scrape")
    assert mute.asked.count("/scrape") == 1, mute.asked
    assert btc.stop() == 0
    assert mute.asked.count("/scrape") == 1, mute.asked


def refuses(lab, **options):
    """A tracker that cannot be scraped: its announces are as good as ever."""
    data = lab.make_data("seed/data.bin", 1_000_001)
    mute = Mute(lab, lab.opentracker(), **options)
    torrent = lab.make_torrent(data, piece_length=32768, tiers=[[mute.url]])
    btc = serve(lab, torrent)
    lab.wait(lambda: kit.has_rows(lab)
             and kit.progress(lab)["seeding_s"] >= 0
             and lab.sql("SELECT 1 FROM tracker WHERE state = 'working'"), 30)
    return mute, btc


def test_refused(lab):
    mute, btc = refuses(lab, status=404)
    lab.wait(lambda: "/scrape" in mute.asked, 30, "the scrape")
    assert btc.stop() == 0
    assert mute.asked.count("/scrape") == 1, mute.asked
    row = lab.sql("SELECT state, error, completed FROM tracker")[0]
    assert tuple(row) == ("idle", None, None), tuple(row)


def test_no_scrape_url(lab):
    """No `announce` in its path: it is never scraped."""
    mute, btc = refuses(lab, path="reply")
    assert btc.stop() == 0
    assert set(mute.asked) == {"/reply"}, mute.asked


lab.main(__name__)
