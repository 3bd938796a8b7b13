"""A private DHT for tests: nodes that are libtorrent's, and questions of our
own to any node."""
import json
import os
import socket

from lab import bdec, benc

# dht_block_ratelimit: a test may ask a node as often as it likes.
NODE = r"""
import json, sys, time
import libtorrent as lt
c = json.loads(sys.argv[1])
def session(ip):
    listen = f"[{ip}]:6881" if ":" in ip else f"{ip}:6881"
    s = lt.session(dict(settings, listen_interfaces=listen,
                        outgoing_interfaces=ip))
    for host, port in c["nodes"]:
        s.add_dht_node((host, port))
    return s
settings = {
    "enable_dht": True, "dht_block_ratelimit": 1000,
    "enable_lsd": False, "enable_natpmp": False, "enable_upnp": False,
    "dht_bootstrap_nodes": "", "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False, "dht_ignore_dark_internet": False,
    "dht_prefer_verified_node_ids": False, "dht_enforce_node_id": False,
    "dht_announce_interval": 5, "dht_privacy_lookups": False,
    "allow_multiple_connections_per_ip": True}
s, *more = [session(ip) for ip in c["ips"]]
if c["torrent"]:
    p = lt.add_torrent_params()
    p.ti = lt.torrent_info(c["torrent"])
    p.save_path = c["dir"]
    h = s.add_torrent(p)
while True:
    time.sleep(0.2)
    if c["torrent"] and h.status().is_seeding:
        h.force_dht_announce()
        time.sleep(2)
    print(s.status().dht_nodes, flush=True)
"""


def node(lab, nodes=(), torrent=None, ip=None, n=1):
    """A node; with a torrent it has the data and announces itself. `address`
    is where it is asked. `n` nodes may share a process: `addresses`."""
    ips = [ip] if ip else [lab.next_ip() for _ in range(n)]
    ip = ips[0]
    config = {"ips": ips, "nodes": list(nodes),
              "torrent": torrent and torrent.path,
              "dir": torrent and os.path.dirname(torrent.source)}
    program = lab.start(f"node-{ip}", ["/usr/bin/python3", "-c", NODE,
                                       json.dumps(config)])
    program.addresses = [(one, 6881) for one in ips]
    program.address = program.addresses[0]
    # It asks the nodes it is given but once, so they must listen by then.
    lab.wait(program.out, 20, "the node")
    return program


def has_nodes(program):
    """A node of ours knows another one."""
    return any(line not in ("", "0") for line in program.out().split("\n"))


def entry(program):
    """A node as btc's options name it."""
    ip, port = program.address
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def ask(address, query, arguments, ip, timeout=2):
    """What a node answers to us (a dict), or None."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.bind((ip, 0))
        s.settimeout(timeout)
        s.sendto(benc({"t": "aa", "y": "q", "q": query, "a": dict(
            arguments, id=b"\x5a" * 20)}), address)
        try:
            return bdec(s.recv(2048))
        except socket.timeout:
            return None


def ping(address, ip="10.77.0.1"):
    return ask(address, "ping", {}, ip)


def find_peers(address, torrent, ip="10.77.0.1"):
    """The peers of a torrent that one node knows: {(ip, port)}."""
    answer = ask(address, "get_peers",
                 {"info_hash": bytes.fromhex(torrent.info_hash)}, ip)
    found = (answer or {}).get(b"r", {}).get(b"values", [])
    return {(socket.inet_ntop(socket.AF_INET6 if len(v) == 18
                              else socket.AF_INET, v[:-2]),
             int.from_bytes(v[-2:], "big")) for v in found}
