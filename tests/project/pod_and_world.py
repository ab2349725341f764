"""A pod and the world as two network namespaces with a wire between them; run as root inside `unshare -n`.

In: the path of a script. Out, as JSON: who could connect to where, before the script ran and after it. It imports nothing of policyd.
"""

import ctypes
import encodings.idna  # noqa: F401  another user may not be able to read it later
import json
import os
import select
import socket
import subprocess
import sys

APP, POLICYD, ROOT = 10001, 65532, 0
INTERNET, RACK, PRIVATE, METADATA = "93.184.216.34", "10.99.0.2", "10.50.0.1", "169.254.169.254"
WORLD = ((INTERNET, 443), (INTERNET, 25), (RACK, 8000), (RACK, 443), (PRIVATE, 443), (METADATA, 443))
CLONE_NEWNET = 0x40000000


def sh(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def reaches(user: int, place: tuple[str, int]) -> bool:
    """Whether a process of this user gets a connection. What is rejected is told at once."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        try:
            with socket.create_connection(place, timeout=5) as found:
                os._exit(0 if found.recv(2) == b"ok" else 1)
        except OSError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def serve(listeners: list[socket.socket], until: int) -> None:
    while True:
        ready, _, _ = select.select([*listeners, until], [], [])
        if until in ready:
            return
        for listener in ready:
            accepted, _ = listener.accept()
            accepted.sendall(b"ok")
            accepted.close()


def the_world(ready: int, told: int, asked: int, answer: int) -> None:
    """The other namespace: every address of it, and one connection into the pod when it is asked for one."""
    assert ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == 0
    os.write(ready, b"1")
    os.read(told, 1)
    sh("ip", "addr", "add", f"{RACK}/24", "dev", "world")
    for address in (INTERNET, PRIVATE, METADATA):
        sh("ip", "addr", "add", f"{address}/32", "dev", "world")
    sh("ip", "link", "set", "world", "up")
    listeners = [socket.create_server(place) for place in WORLD]
    os.write(ready, b"1")
    serve(listeners, asked)
    os.read(asked, 1)
    try:
        with socket.create_connection(("10.99.0.1", 8080), timeout=5) as found:
            os.write(answer, b"1" if found.recv(2) == b"ok" else b"0")
    except OSError:
        os.write(answer, b"0")
    os._exit(0)


def main(script: str) -> None:
    ready, told, asked, answer = (os.pipe() for _ in range(4))
    world = os.fork()
    if world == 0:
        the_world(ready[1], told[0], asked[0], answer[1])
    os.read(ready[0], 1)
    sh("ip", "link", "set", "lo", "up")
    sh("ip", "link", "add", "pod", "type", "veth", "peer", "name", "world", "netns", str(world))
    sh("ip", "addr", "add", "10.99.0.1/24", "dev", "pod")
    sh("ip", "link", "set", "pod", "up")
    os.write(told[1], b"1")
    os.read(ready[0], 1)
    sh("ip", "route", "add", "default", "via", RACK)
    here = [socket.create_server(("127.0.0.1", 8484)), socket.create_server(("10.99.0.1", 8080))]
    end = os.pipe()
    server = os.fork()
    if server == 0:
        os.setgid(APP)
        os.setuid(APP)
        serve(here, end[0])
        os._exit(0)
    before = {
        "app to the internet": reaches(APP, (INTERNET, 443)),
        "policyd to the internet": reaches(POLICYD, (INTERNET, 443)),
    }
    sh("sh", script)
    after = {
        "policyd to the internet": reaches(POLICYD, (INTERNET, 443)),
        "policyd to the internet on another port": reaches(POLICYD, (INTERNET, 25)),
        "policyd to the rack": reaches(POLICYD, (RACK, 8000)),
        "policyd to the rack on another port": reaches(POLICYD, (RACK, 443)),
        "policyd to a private address": reaches(POLICYD, (PRIVATE, 443)),
        "policyd to the metadata service": reaches(POLICYD, (METADATA, 443)),
        "app to the internet": reaches(APP, (INTERNET, 443)),
        "app to the rack": reaches(APP, (RACK, 8000)),
        "app to a private address": reaches(APP, (PRIVATE, 443)),
        "root to the internet": reaches(ROOT, (INTERNET, 443)),
        "app to policyd over loopback": reaches(APP, ("127.0.0.1", 8484)),
    }
    os.write(asked[1], b"1")
    after["the world to the app"] = os.read(answer[0], 1) == b"1"
    os.write(end[1], b"1")
    for child in (world, server):
        os.waitpid(child, 0)
    print(json.dumps({"before": before, "after": after}))


if __name__ == "__main__":
    main(sys.argv[1])
