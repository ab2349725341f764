"""`policyd serve` as a process: what it says when it starts, what keeps it from starting, how it ends."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.proxy.bench import CHAT, LOOPBACK, POLICY, Recorder, deployment_text, exchange, get, post, records
from tests.upstream.scripted import OK, Scripted, answering, run, until, unused_port

URLS = {"home": "http://127.0.0.1:9", "cloud": "http://127.0.0.1:10", "spare": "http://127.0.0.1:11"}


@dataclass(frozen=True, slots=True)
class Process:
    port: int
    admin_port: int
    said: list[str]
    process: asyncio.subprocess.Process


@asynccontextmanager
async def started(
    folder: Path, urls: dict[str, str], policy: str = POLICY, *, extra: str = "", relative: bool = False
) -> AsyncIterator[Process]:
    """A process that serves; it is told to stop at the end unless it has. `relative`: it is given its file by its name."""
    (folder / "sidecar.policy").write_text(policy)
    with unused_port() as proxy, unused_port() as admin:
        text = (
            deployment_text(urls, LOOPBACK, extra, {}).replace("8484", str(proxy)).replace("8485", str(admin))
        )
    (folder / "policyd.toml").write_text(text)
    named = "policyd.toml" if relative else str(folder / "policyd.toml")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "policyd", "serve", named, stderr=asyncio.subprocess.PIPE, cwd=folder
    )
    assert process.stderr is not None
    said: list[str] = []
    ports: list[int] = []
    async with asyncio.timeout(30):
        while len(ports) < 2:
            line = (await process.stderr.readline()).decode()
            assert line, "".join(said)
            said.append(line)
            ports += [int(found) for found in re.findall(r"http://127\.0\.0\.1:(\d+)", line)]

    async def listen() -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            said.append(line.decode())

    listening = asyncio.create_task(listen())
    try:
        yield Process(ports[0], ports[1], said, process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await listening


def test_it_serves_reloads_and_ends_in_order(tmp_path: Path) -> None:
    async def test() -> None:
        async with Recorder() as home, Recorder() as cloud, Recorder() as spare:
            urls = {"home": home.url, "cloud": cloud.url, "spare": spare.url}
            async with started(tmp_path, urls) as running:
                answer = await exchange(running.port, post("/v1/chat/completions", CHAT))
                assert answer.headers[b"x-policyd-target"] == b"cloud"
                assert b"server" not in answer.headers
                before = (await exchange(running.admin_port, get("/policy"))).json["digest"]
                assert any(before in line for line in running.said)
                (tmp_path / "sidecar.policy").write_text(POLICY.replace("to cloud, spare, home", "to home"))
                running.process.send_signal(signal.SIGHUP)
                await until(lambda: sum("serving policy" in line for line in running.said) == 2)
                answer = await exchange(running.port, post("/v1/chat/completions", CHAT))
                assert answer.headers[b"x-policyd-target"] == b"home"
                running.process.terminate()
                assert await running.process.wait() == 0
            assert "Traceback" not in "".join(running.said)

    run(test())
    assert len(records(tmp_path / "decisions.jsonl")) == 2


def test_it_says_how_many_warnings_there_are_and_where_to_see_them(tmp_path: Path) -> None:
    quiet = POLICY.replace("latency == batch and ", "")
    dead = quiet.replace("otherwise", 'route late  to home  when team == "blocked"\notherwise')
    worse = dead.replace("otherwise", 'route later  to home  when team == "blocked"\notherwise')

    async def test() -> None:
        for policy, said in ((quiet, []), (dead, ["1 warning"]), (worse, ["2 warnings"])):
            async with started(tmp_path, URLS, policy) as running:
                lines = [line for line in running.said if "warning" in line]
            toml = tmp_path / "policyd.toml"
            assert lines == [f"policyd: {count}: see `policyd check --deployment {toml}`\n" for count in said]

    run(test())


def test_a_hangup_reads_the_deployment_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with Recorder() as moved, started(tmp_path, URLS) as running:
            toml = tmp_path / "policyd.toml"
            toml.write_text(toml.read_text().replace(URLS["cloud"], moved.url))
            running.process.send_signal(signal.SIGHUP)
            await until(lambda: any("and the deployment of" in line for line in running.said))
            answer = await exchange(running.port, post("/v1/chat/completions", CHAT))
            assert (answer.status, len(moved.requests)) == (200, 1)

    run(test())


def test_every_file_that_a_reload_complains_of_is_named_from_the_root(tmp_path: Path) -> None:
    """Also where the deployment file was given by its name: a reader of a log does not know the folder."""

    async def test() -> None:
        async with started(tmp_path, URLS, relative=True) as running:
            toml, policy = tmp_path / "policyd.toml", tmp_path / "sidecar.policy"
            policy.write_text(POLICY.replace("to cloud, spare, home", "to clout"))
            toml.write_text(toml.read_text().replace('origin = "eu"', 'origin = "eu"\n[log.x]\n', 1))
            await until(lambda: any("what changed is not served" in line for line in running.said))
            assert f"{toml}:" in next(line for line in running.said if "is not served" in line)
            toml.write_text(toml.read_text().replace("[log.x]\n", ""))
            await until(lambda: any("clout" in line for line in running.said))
            assert f"{policy}:" in next(line for line in running.said if "clout" in line)

    run(test())


def test_a_target_that_does_not_prove_itself_is_told_once_and_shown(tmp_path: Path) -> None:
    async def test() -> None:
        async with Scripted(answering(OK), tls="other_name.pem") as cloud, Recorder() as spare:
            urls = {**URLS, "cloud": f"https://127.0.0.1:{cloud.port}", "spare": spare.url}
            async with started(tmp_path, urls) as running:
                for _ in range(3):
                    answer = await exchange(running.port, post("/v1/chat/completions", CHAT))
                    assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")
                why = "the certificate of `127.0.0.1` is not signed by an authority that is known here"
                assert [why in line and "target `cloud`" in line for line in running.said].count(True) == 1
                targets = {t["target"]: t for t in (await exchange(running.admin_port, get("/targets"))).json}
                assert targets["cloud"]["unreached"].startswith(f"tls: {why}: ")
                assert targets["spare"]["unreached"] is None

    run(test())
    assert [r["attempts"][0]["outcome"] for r in records(tmp_path / "decisions.jsonl")] == ["tls"] * 3


async def refused(folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "policyd", "serve", str(folder / "policyd.toml"), stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


REFUSED = {
    "mistakes in the policy, all at once": (
        POLICY.replace("to cloud, spare, home", "to clout").replace("team == \"cloud-only\"", "tam == \"x\""),
        URLS,
        1,
        ["clout", "tam", "2 errors"],
    ),
    "an assertion that does not hold": (
        POLICY.replace("only location == on_prem  when sensitivity", "forbid region == eu  when sensitivity"),
        URLS,
        1,
        ["confidential_stays_home"],
    ),
    "an unbound target": (POLICY, {"home": URLS["home"]}, 1, ["`cloud`", "`spare`", "2 errors"]),
    "a budget, which nobody keeps": (
        POLICY.replace("route blocked", "budget monthly $10 per month by team\nroute blocked").replace(
            "when team == \"cloud-only\"", "when team == \"cloud-only\" and not exceeded(monthly)"
        ),
        URLS,
        1,
        ["monthly"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "urls", "code", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_it_does_not_start_and_says_why(
    tmp_path: Path, policy: str, urls: dict[str, str], code: int, said: list[str]
) -> None:
    async def test() -> None:
        (tmp_path / "sidecar.policy").write_text(policy)
        (tmp_path / "policyd.toml").write_text(deployment_text(urls, LOOPBACK, "", {}))
        returned, text = await refused(tmp_path)
        assert returned == code, text
        for part in said:
            assert part in text
        assert "Traceback" not in text
        assert not (tmp_path / "decisions.jsonl").exists()

    run(test())


def test_it_does_not_start_without_its_file(tmp_path: Path) -> None:
    async def test() -> None:
        returned, text = await refused(tmp_path)
        assert returned == 2
        assert "policyd.toml" in text
        assert "Traceback" not in text

    run(test())


def test_it_does_not_start_on_an_address_that_is_taken(tmp_path: Path) -> None:
    async def test() -> None:
        async with Recorder() as taken:
            port = taken.url.rsplit(":", 1)[1]
            (tmp_path / "sidecar.policy").write_text(POLICY)
            text = deployment_text(URLS, LOOPBACK, "", {}).replace("port = 8484", f"port = {port}")
            (tmp_path / "policyd.toml").write_text(text)
            returned, said = await refused(tmp_path)
            assert returned == 1
            assert (
                f"policyd: cannot start: `listen.port` is {port}, and another process listens there on `127.0.0.1`:"
                " stop it, or set another port\n"
            ) in said
            assert "Traceback" not in said

    run(test())


KEYS = f'kind = "api-keys"\nkeys = [{{ sha256 = "{"a" * 64}", team = "search" }}]'
NOT_OPENED = {
    "one port for both": (
        "port = 8485", "port = 8484",
        "`admin.port` is 8484, and `[listen]` and `[admin]` have the same: give one of them another port",
    ),
    "an address of another machine": (
        "port = 8484", 'port = 8484\naddress = "192.0.2.1"',
        "`listen.address` is `192.0.2.1`, and this machine has no such address: write one of its own",
    ),
    "a socket in no folder": (
        "port = 8484", 'unix = "none/x.sock"',
        "`listen.unix` is `{folder}/none/x.sock`, and there is no folder `{folder}/none`: make it, or name another path",
    ),
    "a log in no folder": (
        "decisions.jsonl", "none/decisions.jsonl",
        "`log.path` is `{folder}/none/decisions.jsonl`, and there is no folder `{folder}/none`: make it, or name another path",
    ),
    "a log that is a folder": (
        "decisions.jsonl", ".", "`log.path` is `{folder}`, and it is a folder: name a file in it",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), NOT_OPENED.values(), ids=NOT_OPENED.keys())
def test_what_cannot_be_opened_is_told_by_its_key(tmp_path: Path, before: str, after: str, said: str) -> None:
    async def test() -> None:
        (tmp_path / "sidecar.policy").write_text(POLICY)
        text = deployment_text(URLS, KEYS if "address" in after else LOOPBACK, "", {})
        with unused_port() as proxy, unused_port() as admin:
            changed = text.replace(before, after)
            ports = {"8484": str(proxy), "8485": str(admin)}
        for port, free in ports.items():
            changed = changed.replace(port, free)
        (tmp_path / "policyd.toml").write_text(changed)
        returned, told = await refused(tmp_path)
        expected = said.replace("8484", ports["8484"]).replace("{folder}", str(tmp_path))
        assert (returned, told.splitlines()[-1]) == (1, f"policyd: cannot start: {expected}")

    run(test())


OPEN_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[1])))
from policyd.proxy.serve import _allow_open_files
_allow_open_files(500)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(("most", "allowed", "told"), [(2000, 1256, False), (700, 700, True)])
def test_it_may_open_as_many_files_as_its_connections_need(most: int, allowed: int, told: bool) -> None:
    """Most systems start a process with 1,024 open files, which 600 streams use up."""
    command = [sys.executable, "-c", OPEN_FILES, str(most)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) == allowed
    assert ("limits.connections" in done.stderr) == told
