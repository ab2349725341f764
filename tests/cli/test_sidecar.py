"""`prove` and `explain` on what a running sidecar serves: its very text, by its digest, now."""

import asyncio
import json
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from policyd.cli.main import main
from tests.cli.conftest import Ran
from tests.proxy.bench import POLICY, three
from tests.upstream.scripted import Peer, Scripted, run, until

STAYS = "never location == cloud when sensitivity >= confidential"
LEAKING = POLICY.replace("only location == on_prem", "only region in { eu, us }").replace(
    "assert confidential_stays_home  never location == cloud  when sensitivity >= confidential\n", ""
)
Command = Callable[..., Awaitable[Ran]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command beside the sidecar."""

    async def ran(*words: str) -> Ran:
        code = await asyncio.to_thread(main, words)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Ran(code, captured.out, captured.err)

    return ran


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def test_a_claim_is_proved_of_what_serves(tmp_path: Path, command: Command) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            address = url(running.admin_port)
            ran = await command("prove", STAYS, "--sidecar", address, "--format", "json")
            (policy,) = json.loads(ran.out)["policies"]
            serving = (await running.admin("/policy")).json
            assert ran.code == 0
            assert policy["digest"] == serving["digest"]
            assert policy["sidecar"] == address
            assert [c["outcome"] for c in policy["claims"]] == ["proved"]
            assert (
                await command("prove", STAYS, "--sidecar", address, "--digest", policy["digest"])
            ).code == 0
            other = await command("prove", STAYS, "--sidecar", address, "--digest", "0" * 32)
            assert other.code == 2 and "error[PD010]" in other.err

    run(test())


def test_it_is_the_policy_that_serves_and_not_the_one_on_disk(tmp_path: Path, command: Command) -> None:
    """A file that was changed and is not served yet, or never will be, is not what is asked about."""

    async def test() -> None:
        async with three(tmp_path) as running:
            running.policy.write_text(POLICY.replace("edition 1", "edition 1\nthis is no policy"))
            await until(lambda: bool(running.serving.reloader.state.failed))
            assert (await command("prove", STAYS, "--sidecar", url(running.admin_port))).code == 0
            running.policy.write_text(LEAKING)
            await until(lambda: not running.serving.reloader.state.failed)
            ran = await command("prove", STAYS, "--sidecar", url(running.admin_port))
            assert ran.code == 1
            assert "refuted     never location == cloud" in ran.out

    run(test())


def test_a_witness_replays_on_the_sidecar(tmp_path: Path, command: Command) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=LEAKING) as running:
            ran = await command("prove", STAYS, "--sidecar", url(running.admin_port), "--format", "json")
            ((claim,),) = [p["claims"] for p in json.loads(ran.out)["policies"]]
            again = await command(*shlex.split(claim["witness"]["replay"])[1:], "--json")
            explained = json.loads(again.out)
            assert explained["decision"]["route"] == claim["witness"]["decision"]["route"]
            assert explained["decision"]["candidates"] == claim["witness"]["decision"]["candidates"]
            assert explained["levels"]["sensitivity"]["value"] == "confidential"
            near = await command(
                "explain", "--sidecar", url(running.admin_port), "--given", claim["witness"]["line"],
                "--why-not", "home", "--nearest",
            )  # fmt: skip
            assert near.code == 0

    run(test())


def test_the_address_that_requests_go_to_is_not_the_one(tmp_path: Path, command: Command) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            ran = await command("prove", STAYS, "--sidecar", url(running.port))
            assert (ran.code, ran.out) == (2, "")
            assert "it answers 404 at `/policy/source`" in ran.err

    run(test())


def answer_of(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


SOURCE = {
    "format": 1,
    "policyd": "0.0.0",
    "digest": "0" * 32,
    "today": "2026-11-20",
    "root": "/etc/main.policy",
    "files": [{"name": "/etc/main.policy", "text": POLICY}],
}


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"", "PD009", "not a JSON object"),
        (b"[1]", "PD009", "not a JSON object"),
        (b"[" * 100_000, "PD009", "not a JSON object"),
        (b"{}", "PD009", "the format None, and this policyd reads 1"),
        (json.dumps({**SOURCE, "format": 2}).encode(), "PD009", "the format 2"),
        (json.dumps({**SOURCE, "files": [1]}).encode(), "PD009", "no `files`"),
        (json.dumps({**SOURCE, "files": [{"name": "a"}]}).encode(), "PD009", "no `text`"),
        (json.dumps({**SOURCE, "today": "soon"}).encode(), "PD009", "no date in `today`"),
        (json.dumps({**SOURCE, "digest": 3}).encode(), "PD009", "no `digest`"),
        (
            json.dumps({**SOURCE, "root": "/etc/other.policy"}).encode(),
            "PD001",
            "no file `/etc/other.policy`",
        ),
        (
            json.dumps(SOURCE).encode(),
            "PD010",
            "serves policy 00000000000000000000000000000000, and its files",
        ),
    ],
)
def test_an_answer_that_cannot_be_believed_is_none(
    command: Command, body: bytes, code: str, said: str
) -> None:
    async def script(peer: Peer, _: int) -> None:
        await peer.request()
        await peer.send(answer_of(body))

    async def test() -> None:
        async with Scripted(script) as server:
            ran = await command("prove", STAYS, "--sidecar", url(server.port))
            assert (ran.code, ran.out) == (2, "")
            assert f"error[{code}]" in ran.err and said in ran.err

    run(test())


def test_a_redirect_is_not_followed(command: Command) -> None:
    async def script(peer: Peer, _: int) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n")

    async def test() -> None:
        async with Scripted(script) as server:
            ran = await command("prove", STAYS, "--sidecar", url(server.port))
            assert ran.code == 2 and "it answers 302" in ran.err
            assert server.connections == 1

    run(test())


def test_a_sidecar_whose_policy_changes_meanwhile_is_asked_again(tmp_path: Path, command: Command) -> None:
    """The digest that counts is the one of the requests that are decided when the answer is given."""

    async def test() -> None:
        async with three(tmp_path) as running:
            source = (await running.admin("/policy/source")).json
            asked: list[bytes] = []

            def changing(now: list[str]) -> Callable[[Peer, int], Awaitable[None]]:
                async def script(peer: Peer, _: int) -> None:
                    request = await peer.request()
                    asked.append(request.split()[1])
                    whole = request.startswith(b"GET /policy/source")
                    await peer.send(
                        answer_of(json.dumps(source if whole else {"digest": now.pop(0)}).encode())
                    )

                return script

            async with Scripted(changing(["0" * 32, source["digest"]])) as server:
                ran = await command("prove", STAYS, "--sidecar", url(server.port))
            assert (ran.code, asked) == (0, [b"/policy/source", b"/policy"] * 2)
            async with Scripted(changing(["0" * 32] * 3)) as server:
                ran = await command("prove", STAYS, "--sidecar", url(server.port))
            assert (ran.code, ran.out) == (2, "")
            assert "error[PD010]" in ran.err and "changes its policy faster" in ran.err

    run(test())


def test_an_admin_side_on_a_socket_file(tmp_path: Path, command: Command) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            source = (await running.admin("/policy/source")).json

            async def script(peer: Peer, _: int) -> None:
                whole = (await peer.request()).startswith(b"GET /policy/source")
                await peer.send(
                    answer_of(json.dumps(source if whole else {"digest": source["digest"]}).encode())
                )

            async with Scripted(script, path=str(tmp_path / "admin.sock")):
                ran = await command("prove", STAYS, "--sidecar", f"unix:{tmp_path}/admin.sock")
            assert ran.code == 0

    run(test())
