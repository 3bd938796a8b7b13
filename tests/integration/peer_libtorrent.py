#!/usr/bin/python3
"""A libtorrent peer with one torrent, as the lab wants it (see lab.py): takes a
JSON object on the command line, writes its state to a file as it changes."""
import json
import os
import sys

import libtorrent as lt


def main():
    config = json.loads(sys.argv[1])
    session = lt.session({
        "listen_interfaces": f"{config['ip']}:{config['port']}",
        "outgoing_interfaces": config["ip"],
        "enable_dht": "dht" in config["ways"],
        "enable_lsd": "lsd" in config["ways"], "enable_upnp": False,
        "enable_natpmp": False, "enable_outgoing_utp": False,
        "enable_incoming_utp": False, "allow_multiple_connections_per_ip": True,
        "out_enc_policy": 2, "in_enc_policy": 1,
        "alert_mask": lt.alert.category_t.status_notification
        | lt.alert.category_t.error_notification
        | lt.alert.category_t.tracker_notification})
    if config["magnet"]:
        params = lt.parse_magnet_uri(config["magnet"])
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(config["torrent"])
    params.save_path = config["dir"]
    if config["super_seed"]:
        params.flags |= lt.torrent_flags.super_seeding
    handle = session.add_torrent(params)
    # A limit of the torrent: those of the session spare the local network.
    handle.set_upload_limit(config["up_limit"] * 1024)
    handle.set_download_limit(config["down_limit"] * 1024)
    for ip, port in config["peers"]:
        handle.connect_peer((ip, port))
    last = None
    while True:
        session.wait_for_alert(50)
        for alert in session.pop_alerts():
            print(alert.message(), file=sys.stderr, flush=True)
        s = handle.status()
        state = {"progress": s.progress, "seeding": bool(s.is_seeding),
                 "up": s.total_payload_upload,
                 "down": s.total_payload_download}
        if state != last:
            with open(config["status"] + ".new", "w", encoding="ascii") as f:
                json.dump(state, f)
            os.rename(config["status"] + ".new", config["status"])
            last = state


main()
