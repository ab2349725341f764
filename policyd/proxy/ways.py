"""How one request is said to each of its targets.

In come the request as it was read and what serves; out goes a `Way` for every attempt. The one idea: three ways and no more.
A target that speaks the caller's dialect gets the bytes that came, but for the model and the keys that its binding declares;
one that does not gets the request translated; one that sends requests on gets only what its API knows.
"""

from collections.abc import Callable

from policyd.proxy.azure import azure_address, without_version
from policyd.proxy.bound_body import bound_body
from policyd.proxy.live import Live
from policyd.proxy.outbound import Headers, known_headers, known_query, onward_query
from policyd.proxy.translated import Translation
from policyd.proxy.usage_chunk import NOTHING_MORE, Unasked, asking_for_usage, uncompressed
from policyd.proxy.way import Way
from policyd.traffic.body import Body
from policyd.traffic.endpoints import Endpoint

__all__ = ["ways"]


def ways(
    live: Live,
    endpoint: Endpoint,
    body: Body,
    named: str,
    query: bytes,
    headers: Headers,
    translation: Translation,
) -> Callable[[str], Way]:
    """`named` is the model that the body names, `query` the caller's, `headers` are those of the caller that may pass. What
    comes out is asked anew for every attempt."""
    plain, asked = endpoint.path.encode(), onward_query(query)
    asked = without_version(asked) if endpoint.azure else asked
    asking = asking_for_usage(endpoint.name, body.parsed)
    own = translation.own()

    def way_to(target: str) -> Way:
        binding = live.bindings[target]
        onward = target in live.onward
        speech = live.speech[target]
        if endpoint.name.value in speech.translates:
            way = translation.way(binding, speech, headers, named)
        else:
            more = asking if binding.include_usage else NOTHING_MORE
            raw = bound_body(binding, own, named, more)
            passed, reply = (uncompressed(headers), Unasked()) if more else (headers, None)
            way = Way(plain, known_query(asked) if onward else asked, passed, raw, reply)
        if binding.azure_api_version is not None:
            version, model = binding.azure_api_version, binding.model_for(named)
            way.path, way.query = azure_address(version, way.path, way.query, model)
        if onward:
            way.headers = known_headers(way.headers)
        return way

    return way_to
