"""A package as a company would install it: a classifier behind an entry point, made in a folder for one test."""

from pathlib import Path
from textwrap import dedent

__all__ = ["installed"]

SOURCE = """
    import os
    import socket
    import sys
    import time
    import urllib.request

    class Words:
        def __init__(self, options):
            self.word = str(options.get("word", "codename"))

        def classify(self, texts):
            return [list(self.one(text)) for text in texts]

        def one(self, text):
            order, _, rest = text.partition(" ")
            if order == "connect":
                socket.create_connection(("127.0.0.1", int(rest)), timeout=2).close()
            elif order == "raw-unix":
                import ctypes
                libc = ctypes.CDLL(None, use_errno=True)
                fd = libc.socket(1, 1, 0)
                address = (1).to_bytes(2, sys.byteorder) + rest.encode() + bytes(1)
                if fd < 0 or libc.connect(fd, address, len(address)) != 0:
                    raise OSError("not connected")
            elif order == "inside":
                a, b = socket.socketpair()
                a.send(b"x")
                b.recv(1)
            elif order == "raw-run":
                import ctypes
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.execv(rest.encode(), None) != 0:
                    raise OSError("not run")
            elif order == "raw-connect":
                import ctypes
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.socket(2, 1, 0) < 0:
                    raise OSError("no socket")
                fd = libc.socket(2, 1, 0)
                address = (2).to_bytes(2, sys.byteorder) + int(rest).to_bytes(2, "big") + bytes((127, 0, 0, 1)) + bytes(8)
                if libc.connect(fd, address, 16) != 0:
                    raise OSError("not connected")
            elif order == "resolve":
                socket.getaddrinfo(rest, 80)
            elif order == "run":
                import subprocess
                subprocess.run([rest], check=True)
            elif order == "hang":
                if rest.startswith("/"):
                    open(rest, "w").close()
                time.sleep(600)
            elif order == "die":
                os._exit(3)
            elif order == "raise":
                raise ValueError(text)
            elif order == "once":
                self.asked = getattr(self, "asked", 0) + 1
                if self.asked == 1:
                    raise ValueError(text)
            elif order == "exit":
                raise SystemExit(1)
            elif order == "print":
                print(text)
                print(text, file=sys.stderr)
                os.write(1, text.encode())
            elif order == "grow":
                self.held = bytearray(1 << 30)
            elif order == "undeclared":
                yield ("custom.other", 0, 1)
            elif order == "outside":
                yield ("custom.acme", 0, len(text) + 1)
            elif order == "empty":
                yield ("custom.acme", 1, 1)
            elif order == "environment":
                if rest in os.environ:
                    yield ("custom.acme", 0, 1)
            at = text.find(self.word)
            if at >= 0:
                yield ("custom.acme", at, at + len(self.word))

    class Silent:
        def classify(self, texts):
            return []

    def words(options):
        return Words(options)

    def silent(options):
        return Silent()

    def broken(options):
        raise RuntimeError("the model file is missing")
"""


def installed(folder: Path) -> Path:
    """The folder, for `PYTHONPATH`: a module and what tells Python that it is a package."""
    (folder / "acme_dlp.py").write_text(dedent(SOURCE))
    told = folder / "acme_dlp-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-dlp\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(
        "[policyd.detectors]\nacme = acme_dlp:words\nsilent = acme_dlp:silent\nbroken = acme_dlp:broken\nabsent = acme_dlp:nothing\n"
    )
    return folder
