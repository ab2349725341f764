"""What images cost: their sizes are read from their first bytes, and vendors' own examples come out."""

import base64
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.image_sizes import MOST_STEPS, size_of
from policyd.traffic.images import (
    BOUNDED_IMAGE_TOKENS,
    LARGE_IMAGE_TOKENS,
    SCALED_IMAGE_TOKENS,
    Picture,
    image_tokens,
    most_in_anthropic,
    most_in_openai,
)
from policyd.traffic.read import read_request

BODY = b"\x00" * 64


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + BODY


def jpeg(width: int, height: int, *, segments: int = 3, size: int = 5000, frame: int = 0xC2) -> bytes:
    before = b"".join(
        b"\xff\xe1" + struct.pack(">H", size + 2) + b"\xff\xc0" * (size // 2) for _ in range(segments)
    )
    tables = b"\xff\xff\xff\xc4\x00\x04ab\xff\xdb\x00\x04ab"
    return (
        b"\xff\xd8"
        + before
        + tables
        + bytes([0xFF, frame])
        + struct.pack(">HBHH", 17, 8, height, width)
        + BODY
    )


def gif(width: int, height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x91, 0, 0) + b"\x00" * 12
    extension = b"\x21\xfe\x05words\x03abc\x00\x21\xf9\x04\x00\x00\x00\x00\x00"
    return screen + extension + b"\x2c" + struct.pack("<HHHH", 0, 0, width, height) + BODY


def webp(width: int, height: int) -> bytes:
    chunk = struct.pack("<I", (width - 1) & 0xFFFFFF)[:3] + struct.pack("<I", height - 1)[:3]
    return b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + chunk + BODY


def webp_lossless(width: int, height: int) -> bytes:
    bits = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return b"RIFF\x00\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f" + bits + BODY


def webp_lossy(width: int, height: int) -> bytes:
    return (
        b"RIFF\x00\x00\x00\x00WEBPVP8 \x0a\x00\x00\x00abc\x9d\x01\x2a"
        + struct.pack("<HH", width, height)
        + BODY
    )


MAKERS = [png, jpeg, gif, webp, webp_lossless, webp_lossy]
SIDE = st.integers(1, 16_383)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
@given(width=SIDE, height=SIDE)
def test_the_size_of_an_image_is_read(make: Callable[[int, int], bytes], width: int, height: int) -> None:
    data = encoded(make(width, height))
    assert size_of(data) == size_of(f"data:image/whatever;base64,{data}") == (width, height)


@given(st.binary(max_size=200), st.sampled_from(MAKERS), st.integers(0, 120))
def test_whatever_stands_in_an_image_the_answer_is_a_size_or_none(
    noise: bytes, make: Callable[[int, int], bytes], at: int
) -> None:
    whole = make(300, 200)
    found = size_of(encoded(whole[:at] + noise + whole[at:]))
    assert found is None or min(found) > 0


@pytest.mark.parametrize(
    "image",
    [
        "", "no base64!", encoded(b"BM" + BODY), encoded(png(10, 10)[:20]), encoded(png(0, 10)), "data:image/png,abc", "data:" + "x" * 400,
        encoded(jpeg(10, 10, segments=MOST_STEPS + 1, size=2)), encoded(jpeg(10, 10, frame=0xDA)), encoded(jpeg(10, 10)).replace("A", "A\n"),
        encoded(gif(10, 10)[:30]),
    ],
    ids=["nothing", "no base64", "a bitmap", "cut", "no width", "no base64 URL", "no comma", "too many segments", "no frame", "line breaks", "a cut GIF"],
)  # fmt: skip
def test_what_cannot_be_told_is_not_guessed(image: str) -> None:
    assert size_of(image) is None


def test_what_is_stepped_over_is_not_decoded() -> None:
    photo = encoded(jpeg(4000, 3000, segments=60, size=60_000))
    # No base64 in the middle of each preview: whoever decoded it would fail.
    broken = "".join("!" if 5000 < n % 80_008 < 70_000 else c for n, c in enumerate(photo))
    assert broken.count("!") > 3_000_000
    assert size_of(broken) == (4000, 3000)


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),
        ("gpt-4o", (2048, 4096), "high", 1105),
        ("gpt-4o-2024-08-06", (4096, 8192), "low", 85),
        ("gpt-4o-mini", (1024, 1024), "", 2833 + 4 * 5667),
        ("openai/gpt-4.1", (1024, 1024), "", 765),
        ("gpt-4.1-mini", (1024, 1024), "", 1659),
        ("gpt-4.1-nano", (1024, 1024), "auto", 2520),
        ("gpt-5", (1024, 1024), "", 70 + 4 * 140),
        ("gpt-5-mini-2025-08-07", (256, 256), "", 104),
        ("gpt-5.4", (4000, 4000), "original", 2500),
        ("gpt-5.5", (3200, 3200), "", 10_000),
        ("gpt-5.6-sol", (3200, 6400), "", 20_000),
        ("o3", (1024, 1024), "", 75 + 4 * 150),
        ("claude-opus-4-8", (1000, 1000), "", 1296),
        ("anthropic/claude-sonnet-4-20250514", (1000, 1000), "", 1296),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", (4000, 4000), "", 1568),
        ("claude-3-5-haiku-20241022", (4000, 4000), "", 1568),
        ("claude-opus-4-7", (4000, 4000), "", 4784),
        ("claude-sonnet-5", (4000, 4000), "", 4784),
        ("qwen3-vl", (300, 300), "", 77),
    ],
)
def test_a_family_s_published_rule(model: str, size: tuple[int, int], detail: str, tokens: int) -> None:
    assert image_tokens(Picture(*size, detail, 77), model) == tokens


def test_the_example_that_is_scaled_to_its_budget() -> None:
    """The guide scales 1,800 by 2,400 to 1,452 patches; scaling to whole pixels alone leaves it 3 % more."""
    assert 1452 <= image_tokens(Picture(1800, 2400, "", 0), "gpt-5.2") <= 1.06 * 1452


FAMILIES = ("gpt-4o", "gpt-4.1-mini", "gpt-4.1-nano", "o4-mini", "gpt-5", "gpt-5-nano", "o1", "computer-use-preview", "gpt-5.2", "gpt-5.4",
            "gpt-5.5", "gpt-5.6", "gpt-6-astra")  # fmt: skip


@given(SIDE, SIDE, st.sampled_from(["", "auto", "low", "high", "original"]), st.sampled_from(FAMILIES))
def test_before_a_target_is_chosen_an_image_counts_as_the_dearest_family_has_it(
    width: int, height: int, detail: str, model: str
) -> None:
    most = most_in_openai((width, height), detail)
    assert image_tokens(Picture(width, height, detail, 0), model) <= most <= most_in_openai(None, detail)


@given(SIDE, SIDE, st.sampled_from(["claude-3-opus", "claude-sonnet-4-6", "claude-opus-4-8"]))
def test_the_same_in_anthropic_s_dialect(width: int, height: int, model: str) -> None:
    most = most_in_anthropic((width, height))
    assert image_tokens(Picture(width, height, "", 0), model) <= most <= most_in_anthropic(None)


def part_of(image: bytes, **more: object) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded(image)}", **more}}


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        (part_of(png(1024, 768)), most_in_openai((1024, 768), None)),
        (part_of(png(1024, 768), detail="high"), most_in_openai((1024, 768), "high")),
        ({"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}, LARGE_IMAGE_TOKENS),
        ({"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}}, BOUNDED_IMAGE_TOKENS),
        ({"type": "input_image", "image_url": part_of(png(640, 480))["image_url"]["url"], "detail": "low"}, most_in_openai((640, 480), "low")),  # type: ignore[index]
    ],
)  # fmt: skip
def test_an_image_in_a_chat_counts_by_its_size(part: dict[str, object], tokens: int) -> None:
    messages = [{"role": "user", "content": [part]}]
    empty = [{"role": "user", "content": [{"type": "text", "text": ""}]}]
    reading = read_request(EndpointName.CHAT, {"model": "m", "messages": messages})
    without = read_request(EndpointName.CHAT, {"model": "m", "messages": empty})
    assert reading.extra_tokens - without.extra_tokens == tokens
    assert sum(picture.bound for picture in reading.pictures) in {0, tokens}


def test_an_image_in_messages_counts_by_its_size() -> None:
    def extra(source: dict[str, str]) -> int:
        messages = [{"role": "user", "content": [{"type": "image", "source": source}]}]
        return read_request(EndpointName.MESSAGES, {"model": "m", "messages": messages}).extra_tokens

    framing = extra({"type": "url", "url": "https://a.example/b.png"}) - SCALED_IMAGE_TOKENS
    small = {"type": "base64", "media_type": "image/jpeg", "data": encoded(jpeg(1000, 1000))}
    assert extra(small) - framing == 1296


def test_tools_bring_the_prompt_that_the_server_adds() -> None:
    def extra(**more: object) -> int:
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **more}
        return read_request(EndpointName.MESSAGES, body).extra_tokens

    own = {"name": "f", "description": "d", "input_schema": {"type": "object"}}
    assert extra(tools=[]) == extra()
    assert extra(tools=[own]) - extra() == 804
    assert extra(tools=[own, {"type": "bash_20250124", "name": "bash"}]) - extra() == 804 + 245
