"""The admin side: the policy's text, as it serves, for who asks by address."""

from pathlib import Path

import pytest

from policyd.policy.digest import digest
from policyd.resolve.load import load
from policyd.resolve.reading import Held
from tests.proxy.bench import POLICY, exchange, get, three
from tests.upstream.scripted import run, until


def test_the_text_that_serves_is_the_policy_of_its_digest(tmp_path: Path) -> None:
    (tmp_path / "more.policy").write_text("edition 1\nset unread = { 1 }\n")
    policy = POLICY.replace("\notherwise", '\ninclude "more.policy"\notherwise', 1)

    async def test() -> None:
        async with three(tmp_path, policy=policy) as running:
            source = (await running.admin("/policy/source")).json
            now = (await running.admin("/policy")).json
            assert source["digest"] == now["digest"]
            assert [Path(f["name"]).name for f in source["files"]] == ["sidecar.policy", "more.policy"]
            held = Held({f["name"]: f["text"] for f in source["files"]})
            program = load(Path(source["root"]), files=held).program
            assert program is not None and digest(program) == now["digest"]

    run(test())


def test_a_file_that_does_not_serve_is_not_given(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            before = (await running.admin("/policy/source")).json
            (tmp_path / "sidecar.policy").write_text("edition 1\nthis is no policy\n")
            await until(lambda: bool(running.serving.reloader.state.failed))
            assert (await running.admin("/policy/source")).json == before

    run(test())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8485", 200), ("[::1]:8485", 200), ("localhost", 200), ("10.0.0.7:8485", 200),
        ("evil.example", 421), ("evil.example:8485", 421), ("localhost.evil.example", 421), ("", 421),
    ],
)  # fmt: skip
def test_a_page_that_calls_this_machine_by_a_name_gets_nothing(
    tmp_path: Path, host: str, status: int
) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await exchange(running.admin_port, get("/policy/source", host=host))
            assert answer.status == status
            assert ("edition 1" in answer.body.decode()) == (status == 200)

    run(test())
