"""Files that change many times under many requests: none is dropped, none is decided by one state and sent by another."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from policyd.proxy.reload import LoadState
from tests.proxy.bench import (
    CHAT,
    LOOPBACK,
    POLICY,
    Recorder,
    Running,
    deployment_text,
    post,
    sidecar,
)
from tests.proxy.keeping import Keeping
from tests.upstream.scripted import Peer, run, until

REQUESTS = 4000
CHANGES = 40
CLIENTS = 12

# Under the first policy nothing may go to `spare`, under the second nothing to `cloud`, and each time the deployment binds
# the forbidden one to a server that must never see a request.
FIRST = POLICY.replace("to cloud, spare, home", "to cloud, home")
SECOND = POLICY.replace("to cloud, spare, home", "to spare, home")
BROKEN = FIRST.replace("to cloud, home", "to clout, home")

KEYS = {"first": "sk-first", "second": "sk-second"}
FEW_CONNECTIONS = 'max_connections = 3\nconnect_timeout = "30s"\nload = { queue_timeout = "30s" }'


class Place(Recorder):
    """A server of one deployment, which says in its answer whose it is and which request it got."""

    def __init__(self, name: str) -> None:
        super().__init__(self.echo)
        self.name = name

    async def echo(self, peer: Peer, request: bytes) -> None:
        user = json.loads(request.partition(b"\r\n\r\n")[2])["user"]
        body = json.dumps({"place": self.name, "user": user}).encode()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


def deployment(which: str, urls: dict[str, str]) -> str:
    """The deployment of the first or the second state; one file, so that both change in one step with their policy."""
    more = f'model = "{which}"\ncredential = {{ file = "{which}.key" }}\n{FEW_CONNECTIONS}'
    text = deployment_text(urls, LOOPBACK, "", dict.fromkeys(urls, more))
    return text.replace("sidecar.policy", f"{which}.policy")


def put(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


async def change(running: Running, text: str) -> None:
    """One change of the file, and the end of the load that it leads to."""
    before: LoadState = running.serving.reloader.state
    put(running.deployment, text)
    running.serving.reloader.ask()
    await until(lambda: running.serving.reloader.state.at > before.at)


def label_of(number: int) -> str:
    return "confidential" if number % 4 == 0 else "internal"


def what_arrived(places: Iterable[Place]) -> Counter[str]:
    """How often each request arrived anywhere."""
    return Counter(json.loads(body)["user"] for place in places for body in place.bodies)


def test_thousands_of_requests_while_policy_and_deployment_change_in_one_step(tmp_path: Path) -> None:
    """A reload that swaps its parts one after the other decides by the old rules and sends by the new addresses."""
    names = ("home-1", "home-2", "cloud-1", "spare-2", "never")
    places = {name: Place(name) for name in names}
    state_of = {"home-1": "first", "cloud-1": "first", "home-2": "second", "spare-2": "second"}
    for which, policy in (("first", FIRST), ("second", SECOND), ("broken", BROKEN)):
        (tmp_path / f"{which}.policy").write_text(policy)
        (tmp_path / f"{which}.key").write_text(f"sk-{which}")

    async def test() -> None:
        async with places["home-1"], places["home-2"], places["cloud-1"], places["spare-2"], places["never"]:
            url = {name: place.url for name, place in places.items()}
            one = {"home": url["home-1"], "cloud": url["cloud-1"], "spare": url["never"]}
            two = {"home": url["home-2"], "cloud": url["never"], "spare": url["spare-2"]}
            states = {
                "first": deployment("first", one),
                "second": deployment("second", two),
                "broken": deployment("broken", one),
            }
            async with sidecar(tmp_path, {}, policy=POLICY, urls=one) as running:
                digests: dict[str, str] = {}
                for which in ("second", "first"):
                    await change(running, states[which])
                    digests[which] = running.serving.sidecar.live.ready.digest
                numbers = iter(range(10**6))
                asked = 0
                changing = True

                async def asking() -> int:
                    nonlocal asked
                    async with Keeping(running.port) as client:
                        while changing or asked < REQUESTS:
                            number = next(numbers)
                            body = CHAT | {"user": f"request {number}"}
                            request = post(
                                "/v1/chat/completions",
                                body,
                                connection="keep-alive",
                                x_data_class=label_of(number),
                            )
                            answer = await client.ask(request)
                            assert answer.status == 200, answer.raw
                            assert answer.json["user"] == body["user"]
                            place = answer.json["place"]
                            assert place.startswith("home") == (label_of(number) == "confidential")
                            assert answer.headers[b"x-policyd-policy"].decode() == digests[state_of[place]]
                            asked += 1
                        return client.opened

                clients = [asyncio.create_task(asking()) for _ in range(CLIENTS)]
                for turn in range(CHANGES):
                    until_now = asked
                    await change(running, states[("second", "broken", "first", "broken")[turn % 4]])
                    await until(
                        lambda seen=until_now: asked >= seen + CLIENTS or any(c.done() for c in clients)
                    )  # type: ignore[misc]
                changing = False
                opened = await asyncio.gather(*clients)
                assert running.serving.reloader.state.reloads == 2 + CHANGES // 2
                assert running.serving.reloader.state.failures == CHANGES // 2
                # No client was disconnected by a change.
                assert opened == [1] * CLIENTS
                assert asked >= REQUESTS

            arrived = what_arrived(places.values())
            assert set(arrived.values()) == {1} and len(arrived) == asked
            assert places["never"].requests == []
            for name, which in state_of.items():
                heads = [b"\r\n".join(head) for head in places[name].heads]
                assert heads and all(f"Bearer {KEYS[which]}".encode() in head for head in heads)
                assert {json.loads(body)["model"] for body in places[name].bodies} == {which}

    run(test())


def test_a_request_that_waits_in_line_is_decided_by_what_serves_when_its_turn_comes(tmp_path: Path) -> None:
    """A request that was queued under the old policy is sent under it, although the new one forbids its target."""
    closed = FIRST.replace(
        "guard stays_home",
        'guard closed  only location == on_prem  because "the cloud is closed"\nguard stays_home',
    ).replace("route blocked  to cloud               when", "route blocked  to home                when")

    async def test() -> None:
        async with Recorder() as home, Recorder() as cloud, Recorder() as spare:
            recorders = {"home": home, "cloud": cloud, "spare": spare}
            one = {"cloud": 'max_connections = 1\nconnect_timeout = "30s"\nload = { queue_timeout = "30s" }'}
            async with sidecar(tmp_path, recorders, policy=FIRST, targets=one) as running:
                let_go = asyncio.Event()

                async def holding(peer: Peer, _: bytes) -> None:
                    await let_go.wait()
                    await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

                cloud.answer = holding
                first = asyncio.create_task(running.ask(post("/v1/chat/completions", CHAT)))
                await until(lambda: len(cloud.requests) == 1)
                waiting = [
                    asyncio.create_task(running.ask(post("/v1/chat/completions", CHAT))) for _ in range(20)
                ]
                state = running.serving.sidecar.road.targets.get("cloud")
                assert state is not None
                await until(lambda: state.seats.waiting == 20)
                before = running.serving.reloader.state.reloads
                put(running.policy, closed)
                running.serving.reloader.ask()
                await until(lambda: running.serving.reloader.state.reloads > before)
                let_go.set()
                answers = [await asking for asking in waiting]
                assert {(a.status, a.headers[b"x-policyd-target"]) for a in answers} == {(200, b"home")}
                assert (await first).headers[b"x-policyd-target"] == b"cloud"
                assert (len(cloud.requests), len(home.requests)) == (1, 20)

    run(test())
