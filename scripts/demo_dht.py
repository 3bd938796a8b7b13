#!/usr/bin/python3
"""The other side of the demo's second act, all of it libtorrent: a DHT of a few
nodes, and a seed that only they know of.

    demo_dht.py FOLDER TORRENT DATA-FOLDER ADDRESS...

Each address is a node, at port 6881; the first is the one to enter by, the last
has the data. In the folder stand, for the demo to read and write:

    rate       how many bytes per second the seed sends, as often as it changes
    announced  is there once a node has heard of the seed
    sent       payload bytes that the seed has sent
    asked      a line per piece of metadata that the seed was asked for
"""
import os
import re
import sys

import libtorrent as lt

# What is right for the Internet is not for a network of one machine.
SETTINGS = {
    "enable_dht": True, "enable_lsd": False, "enable_upnp": False,
    "enable_natpmp": False, "dht_bootstrap_nodes": "",
    "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
    "dht_ignore_dark_internet": False, "dht_prefer_verified_node_ids": False,
    "dht_enforce_node_id": False, "dht_block_ratelimit": 1000,
    "allow_multiple_connections_per_ip": True}


def open_node(ip, entry, alerts):
    """A node that knows the one to enter by."""
    session = lt.session(dict(
        SETTINGS, listen_interfaces=f"{ip}:6881", outgoing_interfaces=ip,
        alert_mask=alerts))
    if entry:
        session.add_dht_node((entry, 6881))
    return session


def write(path, text):
    """In one go: nobody reads half of it."""
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(text)
    os.rename(path + ".new", path)


def main():
    folder, torrent, data, entry, *others = sys.argv[1:]
    os.chdir(folder)
    kinds = lt.alert.category_t
    nodes = [open_node(ip, entry if ip != entry else None,
                       kinds.dht_notification)
             for ip in [entry] + others[:-1]]
    seeder = open_node(others[-1], entry, kinds.peer_log_notification)
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = data
    params.flags |= lt.torrent_flags.seed_mode
    seed = seeder.add_torrent(params)
    limit = announced = None
    while True:
        with open("rate", encoding="ascii") as f:
            rate = int(f.read())
        if rate != limit:
            limit = rate
            seed.set_upload_limit(rate)
        if not announced:
            seed.force_dht_announce()
            announced = any(isinstance(a, lt.dht_announce_alert)
                            for n in nodes for a in n.pop_alerts())
            if announced:
                write("announced", "yes\n")
        with open("asked", "a", encoding="ascii") as f:
            for alert in seeder.pop_alerts():
                asked = re.search(r"<== UT_METADATA.*type: 0 piece: (\d+)",
                                  alert.message())
                if asked:
                    print(asked[1], file=f)
        write("sent", f"{seed.status().total_payload_upload}\n")
        seeder.wait_for_alert(50)


main()
