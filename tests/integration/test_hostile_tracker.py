#!/usr/bin/python3
"""Trackers that lie, hang, flood or break off. A bad one never stops the others,
never delays the end by more than the good-bye may take, and is named with what is
wrong with it. Good ones get what BEP 3 wants, once each."""
import gzip
import os
import socket
import ssl
import subprocess
import threading
import time

import lab as laboratory
import wire
from lab import benc
from tracker_kit import (IP, MIB, OURS, RawServer, Tracker, compact, drip, good,
                         hang, out_of, setup, trackers, with_tiers)

# name: reply, a part of the error that is told (None: it works)
BAD = {
    "html": (b"<!DOCTYPE html><html><body>hi</body></html>", "HTML"),
    "500": ((500, {}, b"oops"), "500"),
    "404": ((404, {}, b"<html>not here</html>"), "404"),
    "403": ((403, {}, benc({"failure reason": "not registered"})),
            "not registered"),
    "empty": (b"", "empty"),
    "garbage": (bytes(range(256)), "bencoded"),
    "cut": (good(("10.77.0.9", 1))[:-3], "bencoded"),
    "list": (b"le", "dictionary"),
    "deep": (b"d5:peers" + b"l" * 100000 + b"e" * 100000 + b"e", "deep"),
    "huge": (b"d5:peers10000000:" + bytes(10000000) + b"e", "larger"),
    "failure": (benc({"failure reason": "go \x1b[31maway"}), "away"),
    "failure empty": (benc({"failure reason": ""}), "no reason"),
    "loop": ((302, {"Location": "/announce"}, b""), "redirect"),
    "to file": ((302, {"Location": "file:///etc/passwd"}, b""), ""),
    "to ftp": ((302, {"Location": f"ftp://{IP}/x"}, b""), ""),
    "bad gzip": ((200, {"Content-Encoding": "gzip"}, b"not gzip"), ""),
    "204": ((204, {}, b""), "empty"),
}


def test_bad_replies(lab):
    """Each as the first tier; the honest one behind it is used, the download
    completes, and the journal says what was wrong."""
    torrent, seeder = setup(lab)
    bad = {name: Tracker(lab, lambda q, r=reply: r)
           for name, (reply, _) in BAD.items()}
    honest = Tracker(lab, lambda q: good((seeder.ip, seeder.port)))
    path = with_tiers(lab, torrent, *[[t.url] for t in bad.values()],
                      [honest.url])
    run = lab.btc("get", path, "-d", out_of(lab), timeout=60)
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    rows, wrong = trackers(lab), []
    for name, (_, part) in BAD.items():
        error = rows[bad[name].url]["error"] or ""
        if part.lower() not in error.lower() or not error or "\x1b" in error:
            wrong.append(f"{name}: '{error}'")
        if len(bad[name].seen) > 8:
            wrong.append(f"{name}: asked {len(bad[name].seen)} times")
        if bad[name].events()[-1] == "stopped":
            wrong.append(f"{name}: a good-bye to one that never knew us")
    assert not wrong, wrong
    assert not rows[honest.url]["error"], dict(rows[honest.url])
    text = run.err + lab.btc("log", "1").out + lab.btc("trackers", "1").out
    assert "\x1b" not in text and "root:" not in text, text


def test_hanging(lab):
    """Trackers that hang, drip, refuse or do not exist: the honest one in the
    last tier is asked all the same, and they do not delay the end."""
    torrent, seeder = setup(lab)
    silent, slow = RawServer(hang), RawServer(drip)
    honest = Tracker(lab, lambda q: good((seeder.ip, seeder.port)))
    path = with_tiers(lab, torrent, [f"http://{IP}:1/a"], [silent.url],
                      ["http://no.such.host.invalid/a"], [slow.url],
                      ["udp://10.77.0.1:1/a"], ["wss://10.77.0.1/a"],
                      [honest.url])
    run = lab.btc("get", path, "-d", out_of(lab), timeout=60)
    assert run.code == 0 and run.seconds < 25, run
    torrent.check(lab.path("out"))
    assert silent.n and slow.n and honest.events()[0] == "started"
    rows = trackers(lab)
    assert "refused" in rows[f"http://{IP}:1/a"]["error"].lower()
    assert rows["http://no.such.host.invalid/a"]["error"]
    row = dict(rows["wss://10.77.0.1/a"])
    assert row["state"] == "unsupported" and "http" in row["error"], row


def test_hanging_good_bye(lab):
    """A tracker that answers `started` and hangs at `stopped` delays the end by
    no more than about 3 s."""
    torrent, seeder = setup(lab)
    block = threading.Event()

    def reply(query):
        if query.get("event") == "stopped":
            block.wait(30)
        return good((seeder.ip, seeder.port))
    tracker = Tracker(lab, reply)
    path = with_tiers(lab, torrent, [tracker.url])
    btc = lab.start_btc("get", path, "-d", out_of(lab), "--seed", "forever")
    lab.wait(lambda: "completed" in tracker.events(), what="completed")
    begin = time.monotonic()
    btc.signal(2)
    code = btc.wait(10)
    took = time.monotonic() - begin
    block.set()
    assert code in (0, 7) and took < 5, (code, took)
    assert tracker.events()[-1] == "stopped"


def test_events_once(lab):
    """`started`, `completed`, `stopped` once each with the right numbers, also
    over an interruption; a second run of a complete torrent has no
    `completed`."""
    torrent, seeder = setup(lab)
    tracker = Tracker(lab, lambda q: good((seeder.ip, seeder.port)))
    path = with_tiers(lab, torrent, [tracker.url])
    run = lab.btc("get", path, "-d", out_of(lab))
    assert run.code == 0, run
    assert tracker.events() == ["started", "completed", "stopped"], \
        tracker.events()
    numbers = [(int(s["uploaded"]), int(s["downloaded"]), int(s["left"]))
               for s in tracker.seen]
    size = torrent.size
    assert numbers == [(0, 0, size), (0, size, 0), (0, size, 0)], numbers
    for s in tracker.seen:
        assert s["info_hash"].encode("latin-1").hex() == torrent.info_hash
        assert len(s["peer_id"]) == 20 and s["peer_id"].startswith("-BT")
        assert s["compact"] == "1" and 0 < int(s["port"]) < 65536
        assert s["key"] == tracker.seen[0]["key"]
        assert s["peer_id"] == tracker.seen[0]["peer_id"]
    assert int(tracker.seen[2].get("numwant", 0)) == 0
    tracker.seen.clear()
    btc = lab.start_btc("resume", "1", "--seed", "forever")
    lab.wait(lambda: tracker.seen, what="an announce")
    lab.wait(lambda: trackers(lab)[tracker.url]["state"] == "working")
    assert btc.stop() in (0, 7)
    assert tracker.events() == ["started", "stopped"], tracker.events()
    assert [int(s["left"]) for s in tracker.seen] == [0, 0]


def test_interrupted_events(lab):
    """`stopped` says what is left; the next run starts with that, and counts
    its own bytes alone: a tracker adds up what the runs say."""
    torrent, seeder = setup(lab)
    seeder.close()
    slow = wire.Slow(torrent, seeder.ip)
    tracker = Tracker(lab, lambda q: good((slow.ip, slow.port)))
    path = with_tiers(lab, torrent, [tracker.url])
    btc = lab.start_btc("get", path, "-d", out_of(lab))
    lab.wait(lambda: slow.served > 20, what="blocks")
    assert btc.stop() == 7
    assert tracker.events() == ["started", "stopped"], tracker.events()
    left = int(tracker.seen[1]["left"])
    assert 0 < left < torrent.size
    down = int(tracker.seen[1]["downloaded"])
    assert torrent.size - left <= down <= torrent.size
    slow.pause = 0
    assert lab.btc("resume").code == 0
    assert tracker.events()[2:] == ["started", "completed", "stopped"]
    begin = int(tracker.seen[2]["left"])
    assert begin <= left
    counts = [(int(s["uploaded"]), int(s["downloaded"]))
              for s in tracker.seen[2:]]
    assert counts[0] == (0, 0) and counts[2] == counts[1], counts
    assert counts[1][0] == 0 and begin - 65536 <= counts[1][1] <= begin, counts
    assert int(tracker.seen[-1]["left"]) == 0


def test_lies_about_counts(lab):
    """Numbers of all kinds in every field: no crash, sane columns."""
    torrent, seeder = setup(lab)
    lies = (-1, -(1 << 63), (1 << 63) - 1, "many", [], {}, 0, b"\xff" * 100)
    fields = ("interval", "min interval", "complete", "incomplete",
              "downloaded", "retry in", "tracker id", "warning message",
              "external ip")
    liars = []
    for lie in lies:
        body = dict({f: lie for f in fields}, peers=compact(
            (seeder.ip, seeder.port)))
        liars.append(Tracker(lab, lambda q, b=benc(body): b))
    # Numbers that do not fit 64 bits.
    liars.append(Tracker(lab, lambda q: b"d8:completei99999999999999999999e"
                         b"8:intervali1800e5:peers0:e"))
    for i, liar in enumerate(liars):
        path = with_tiers(lab, torrent, [liar.url])
        db, out = lab.path("other", f"{i}.db"), lab.path("other", f"{i}", "x")
        run = lab.btc("get", path, "-d", os.path.dirname(out), "--peer",
                      seeder.address, db=db)
        assert run.code == 0, run
        for row in lab.sql("SELECT * FROM tracker_list", db=db):
            for key in ("seeders", "leechers"):
                assert row[key] is None or 0 <= row[key] < 1 << 63, dict(row)
        assert lab.btc("trackers", "1", "--json", db=db).code == 0
        assert 1 <= len(liar.seen) <= 3, liar.events()


def test_peer_lists(lab):
    """Ports and addresses that cannot be, our own, doubles, ten thousand: those
    that are sane are dialled, we do not talk to ourselves."""
    torrent, seeder = setup(lab)
    port = 6999
    odd = [("10.77.0.9", 0), ("0.0.0.0", 1), ("224.0.0.1", 6881),
           ("255.255.255.255", 6881), ("127.0.0.1", port), (OURS, port),
           ("0.1.2.3", 5)] + [(seeder.ip, seeder.port)] * 50
    many = [(f"10.99.{i // 250}.{i % 250 + 1}", 6881) for i in range(10000)]
    forms = {
        "compact": compact(*odd),
        "many": compact(*(many[:900] + odd + many)[:10000]),
        "cut": compact(*odd) + b"\x01\x02",
        "dicts": [{"ip": ip, "port": p, "peer id": bytes(20)}
                  for ip, p in odd] + [
            {"ip": "no.such.host.invalid", "port": 1}, {"ip": 5}, {}, 7,
            {"ip": seeder.ip}, {"ip": seeder.ip, "port": 70000},
            {"ip": seeder.ip, "port": -1}],
    }
    for name, peers in forms.items():
        tracker = Tracker(lab, lambda q, p=peers: benc(
            {"interval": 1800, "peers": p, "peers6": b"\xff" * 36}))
        path = with_tiers(lab, torrent, [tracker.url])
        db = lab.path("db", name + ".db")
        out = os.path.dirname(lab.path("out-" + name, "x"))
        run = lab.btc("get", path, "-d", out, "--port", str(port), db=db,
                      timeout=60)
        assert run.code == 0, (name, run)
        torrent.check(out)
        for row in lab.sql("SELECT * FROM peer_list", db=db):
            assert row["port"] != 0 and not row["address"].startswith(
                ("224.", "255.", "0.")), dict(row)


def test_ipv6(lab):
    """peers6, dialled over IPv6."""
    subprocess.run(["ip", "addr", "add", "fd77::1/128", "dev", "lo"],
                   check=False)
    source = lab.make_data("seed/data.bin", MIB)
    torrent = lab.make_torrent(source, piece_length=65536)
    try:
        seeder = wire.Seeder.__new__(wire.Seeder)
        server = socket.create_server(("fd77::1", 0), family=socket.AF_INET6)
    except OSError as e:
        raise laboratory.Skip(f"no IPv6: {e}") from None
    seeder.__init__(torrent, lab.next_ip())
    seeder.server.close()
    seeder.server = server
    threading.Thread(target=seeder._accept, daemon=True).start()
    port = server.getsockname()[1]
    tracker = Tracker(lab, lambda q: benc(
        {"interval": 1800, "peers": b"", "peers6": socket.inet_pton(
            socket.AF_INET6, "fd77::1") + port.to_bytes(2, "big")}))
    run = lab.btc("get", with_tiers(lab, torrent, [tracker.url]), "-d",
                  out_of(lab), env={"BTC_BIND": ""}, timeout=60)
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    assert lab.sql("SELECT address FROM peer_list")[0][0] == "fd77::1"


def test_tracker_id_and_warning(lab):
    """The id comes back byte for byte, in a later run, too; a warning is kept
    and stops nothing; gzip is taken."""
    torrent, seeder = setup(lab)
    ident = b"id &=?\x01\xff%"
    body = gzip.compress(good((seeder.ip, seeder.port), tracker_id=ident,
                              warning_message="old client"))
    tracker = Tracker(lab, lambda q: (200, {"Content-Encoding": "gzip"}, body))
    path = with_tiers(lab, torrent, [tracker.url + "?passkey=a%20b"])
    run = lab.btc("get", path, "-d", out_of(lab))
    assert run.code == 0, run
    assert "trackerid" not in tracker.seen[0]
    for s in tracker.seen[1:]:
        assert s["trackerid"].encode("latin-1") == ident, s
        assert s["passkey"] == "a b"
    assert "old client" in trackers(lab)[tracker.url + "?passkey=a%20b"]["error"]
    assert "old client" in lab.btc("log", "1").out


def test_retry_in(lab):
    """BEP 31: not asked again before its time, `never` is never."""
    torrent, seeder = setup(lab)
    never = Tracker(lab, lambda q: benc({"failure reason": "no",
                                         "retry in": "never"}))
    later = Tracker(lab, lambda q: benc({"failure reason": "busy",
                                         "retry in": 5}))
    path = with_tiers(lab, torrent, [never.url], [later.url])
    btc = lab.start_btc("daemon")
    run = lab.btc("add", path, "-d", out_of(lab), "--peer", seeder.address)
    assert run.code == 0, run
    lab.wait(lambda: never.seen and later.seen, what="announces")
    lab.wait(lambda: all(r["error"] for r in trackers(lab).values()),
             what="the journal")
    assert trackers(lab)[never.url]["state"] == "disabled"
    row = trackers(lab)[later.url]
    assert 240 < row["next_announce"] - time.time() < 310, dict(row)
    lab.wait(lambda: lab.sql("SELECT 1 FROM progress WHERE percent = 100"),
             what="the download")
    assert btc.stop() in (0, 7)
    assert len(never.seen) == 1 and len(later.seen) == 1


def test_intervals(lab):
    """An interval of 0 or 1 s is no leave to hammer; `min interval` holds even
    when there is no peer at all."""
    torrent, _ = setup(lab)
    eager = Tracker(lab, lambda q: benc({"interval": 1, "peers": b""}))
    zero = Tracker(lab, lambda q: benc({"interval": 0, "min interval": 0,
                                        "peers": b""}))
    path = with_tiers(lab, torrent, [eager.url], [zero.url])
    run = lab.btc("get", path, "-d", out_of(lab), "--max-time", "4s")
    assert run.code in (5, 6), run
    for t in (eager, zero):
        assert t.events().count("") == 0, t.events()
        assert len(t.seen) <= 2, t.events()


def test_all_dead(lab):
    """No tracker works and nobody is known: exit 6 and why, in a bounded time
    and without hammering."""
    torrent, _ = setup(lab)
    bad = Tracker(lab, lambda q: (500, {}, b""))
    path = with_tiers(lab, torrent, [bad.url], [f"http://{IP}:1/a"])
    run = lab.btc("get", path, "-d", out_of(lab), timeout=90)
    assert run.code == 6, run
    assert "tracker" in run.err and "500" in run.err, run
    assert len(bad.seen) <= 5, bad.events()


def make_certificate(lab, name):
    """A self-signed certificate of an IP address; (certificate, key)."""
    cert, key = lab.path(name + ".pem"), lab.path(name + ".key")
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-keyout", key, "-out", cert, "-subj", "/CN=" + IP, "-addext",
         "subjectAltName=IP:" + IP], capture_output=True, check=False)
    if done.returncode != 0:
        raise laboratory.Skip("no openssl to make a certificate")
    return cert, key


def test_https(lab):
    """A self-signed certificate is refused in plain words; named in
    SSL_CERT_FILE it is trusted."""
    torrent, seeder = setup(lab)
    cert, key = make_certificate(lab, "tracker")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    body = good((seeder.ip, seeder.port))

    def handle(sock):
        with context.wrap_socket(sock, server_side=True) as tls:
            tls.recv(65536)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
                        % (len(body), body))
    server = RawServer(handle)
    url = server.url.replace("http:", "https:")
    path = with_tiers(lab, torrent, [url])
    run = lab.btc("get", path, "-d", out_of(lab), "--max-time", "3s")
    assert run.code in (5, 6), run
    error = trackers(lab)[url]["error"]
    assert "certificate" in error.lower(), error
    assert not seeder.connections
    run = lab.btc("resume", env={"SSL_CERT_FILE": cert})
    assert run.code == 0, run
    torrent.check(lab.path("out"))


laboratory.main(__name__)
