"""A caller that speaks HTTP/1.0: it knows no chunks, and the end of the connection is the end of its answer."""

import asyncio
import socket
from pathlib import Path
from typing import Final

import pytest

from tests.proxy.bench import OK, Answering, records, saying, three
from tests.proxy.test_reliability import SSE, STREAM, chunk, event
from tests.upstream.scripted import Peer, run

OLD: Final = STREAM.replace(b" HTTP/1.1", b" HTTP/1.0", 1)
SAID: Final = event({"choices": [{"delta": {"content": "hello"}, "finish_reason": "stop"}]})


def asked(port: int) -> tuple[bytes, bytes, bool]:
    """The head, the body, and whether the connection was reset."""
    came = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(OLD)
        try:
            while piece := client.recv(65536):
                came += piece
        except ConnectionResetError:
            return (*came.split(b"\r\n\r\n", 1), True)  # type: ignore[return-value]
    return (*came.split(b"\r\n\r\n", 1), False)  # type: ignore[return-value]


def streaming(*, cut: bool) -> Answering:
    async def answer(peer: Peer, _: bytes) -> None:
        await peer.send(SSE + chunk(SAID))
        if cut:
            peer.close()
        else:
            await peer.send(b"0\r\n\r\n")

    return answer


@pytest.mark.parametrize("cut", [False, True])
def test_a_stream_ends_with_its_connection_and_a_cut_one_by_a_reset(tmp_path: Path, cut: bool) -> None:
    """Elsewhere an old client got the sizes of chunks as text, or took half an answer for all of it."""

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = streaming(cut=cut)
            head, body, reset = await asyncio.to_thread(asked, running.port)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"transfer-encoding" not in head and b"content-length" not in head
            assert b"\r\nconnection: close" in head
            assert body.startswith(SAID) and reset is cut
            assert body == SAID or (cut and b"policyd upstream_broke" in body)

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == ("upstream_broke" if cut else "answered")


def test_an_answer_with_a_length_has_it_as_ever(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = saying(OK)
            head, body, reset = await asyncio.to_thread(asked, running.port)
            assert b"content-length: 13" in head and b"transfer-encoding" not in head
            assert (body, reset) == (b'{"fine":true}', False)

    run(test())
