"""`llmock report` passes judgement on policyd as a client: a real `llmock serve` that errs and breaks streams, a real
`policyd serve`, and applications with the official SDKs that send again what broke.

A stream that llmock cuts ends in order, without its last event. An application only notices if policyd says so, so
llmock's charge that half an answer was taken for a whole one would be policyd's.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.faults.evidence import Evidence
from tests.faults.process import Process, free_ports
from tests.upstream.scripted import run

pytestmark = pytest.mark.sdk

LLMOCK = Path(sys.executable).parent / "llmock"
ERRORS = {400: 0.03, 404: 0.02, 429: 0.08, 500: 0.04, 503: 0.05, 529: 0.03}
BROKEN = {"truncate": 0.1, "disconnect": 0.08, "malformed": 0.03, "stall": 0.02}
AGAIN = 8
"""How often an application sends what broke again."""

POLICY = """
edition 1

target chat  { location cloud  context 1M  speaks chat      supports tools, json }
target said  { location cloud  context 1M  speaks messages  supports tools, json }

route all to chat, said
otherwise reject "no target may serve this request"
"""


@asynccontextmanager
async def llmock(port: int) -> AsyncIterator[str]:
    command = [
        str(LLMOCK),
        "serve",
        "--port",
        str(port),
        "--log-level",
        "error",
        "--stream-stall-seconds",
        "3",
    ]
    for status, share in ERRORS.items():
        command += ["--error-rate", f"{status}={share}"]
    for kind, share in BROKEN.items():
        command += ["--stream-fault", f"{kind}={share}"]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(60):
            while True:
                try:
                    await client.get(f"{url}/health")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def verdict(url: str) -> tuple[int, dict[str, Any]]:
    """Exit code and findings of `llmock report`."""
    process = await asyncio.create_subprocess_exec(
        str(LLMOCK), "report", "--json", "--url", url, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(said)


def deployment(url: str, listen: int, admin: int) -> str:
    """One server for each API: what is sent again is seen by the one that broke it."""
    tables = "".join(
        f'[targets.{name}]\nurl = "{where}"\ndialects = ["{dialect}"]\nfirst_byte_timeout = "10s"\nidle_timeout = "1s"\n'
        'total_timeout = "20s"\n'
        for name, where, dialect in (("chat", url, "openai"), ("said", f"{url}/anthropic", "anthropic"))
    )
    return f"""
policy = "policy.policy"
[listen]
port = {listen}
[admin]
port = {admin}
[identity]
kind = "loopback"
[log]
path = "decisions.jsonl"
{tables}
"""


async def chats(client: openai.AsyncOpenAI, number: int, stream: bool) -> None:
    said: Any = [{"role": "user", "content": f"say number {number}"}]
    if not stream:
        await client.chat.completions.create(model="gpt-5", messages=said)
        return
    async for _ in await client.chat.completions.create(model="gpt-5", messages=said, stream=True):
        pass


async def writes(client: anthropic.AsyncAnthropic, number: int, stream: bool) -> None:
    said: Any = [{"role": "user", "content": f"say number {number}"}]
    if not stream:
        await client.messages.create(model="claude-opus-4-5", messages=said, max_tokens=50)
        return
    async with client.messages.stream(model="claude-opus-4-5", messages=said, max_tokens=50) as answer:
        async for _ in answer:
            pass


HOPELESS = {400, 401, 403, 404, 422}
LATER = (openai.APIError, anthropic.APIError, httpx.TransportError, json.JSONDecodeError, ValueError)


async def insists(call: Callable[[], Awaitable[None]]) -> bool:
    """As an application does: again, after a while, unless the answer was that it is in vain."""
    for attempt in range(AGAIN):
        try:
            await call()
        except LATER as error:
            if getattr(error, "status_code", 0) in HOPELESS:
                return False
            await asyncio.sleep(1.1 + 0.3 * attempt)
        else:
            return True
    return False


@pytest.mark.skipif(not LLMOCK.exists() and shutil.which("llmock") is None, reason="llmock is not installed")
@pytest.mark.timeout(240)
def test_llmock_has_nothing_to_say_against_us(tmp_path: Path) -> None:
    async def test() -> None:
        listen, admin, port = free_ports(3)
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(llmock(port))
            (tmp_path / "policy.policy").write_text(POLICY)
            (tmp_path / "policyd.toml").write_text(deployment(url, listen, admin))
            evidence = Evidence()
            process = Process(tmp_path / "policyd.toml", evidence, admin)
            await process.start()
            stack.push_async_callback(process.end)
            base = f"http://127.0.0.1:{listen}"
            chat = await stack.enter_async_context(
                openai.AsyncOpenAI(base_url=f"{base}/v1", api_key="x", max_retries=0)
            )
            message = await stack.enter_async_context(
                anthropic.AsyncAnthropic(base_url=base, api_key="x", max_retries=0)
            )
            turn = asyncio.Semaphore(12)

            async def one(number: int) -> bool:
                async with turn:
                    stream = number % 3 != 0
                    if number % 2:
                        return await insists(lambda: chats(chat, number, stream))
                    return await insists(lambda: writes(message, number, stream))

            done = await asyncio.gather(*(one(number) for number in range(90)))
            assert sum(done) > 65
            code, said = await verdict(url)
            assert code == 0, json.dumps(said["findings"], indent=1)
            assert said["faults_injected"] > 10

    run(test())
