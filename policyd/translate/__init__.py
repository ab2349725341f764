"""One dialect said in another: what a caller asks in the words of a target that speaks only the other API, and its answer
in the caller's. Pure: parsed bodies and bytes in, parsed bodies and bytes out; no sockets, no policy, nothing of policyd.

The one idea: without loss, or not at all. A request of which anything would be lost is a `Loss`, and its target no
candidate; an answer of which nothing true can be made is `Unsayable`. What each key becomes is `docs/translation.md`.

Each direction is three modules:

- `X_to_Y`: `request(body) -> dict | Loss` says a request of X as one of Y. Pure, changes nothing of what it is given;
  the same body gives the same answer. A key it does not know is a loss. The result holds no text that was not in `body`
  (but for the fixed words of Y), and its `model` is the one that came.
- `Y_as_X`: `whole(answer, asked) -> dict` says a complete answer of Y as one of X; `asked` is the caller's own body, as it
  came. `error(status, body) -> (status, body)` says an error answer, whatever bytes it holds, as one of X.
- `Y_stream_as_X`: `Stream(asked)` with `feed(piece) -> bytes` and `end() -> bytes` says a stream of server-sent events of Y
  as one of X, event by event; how the bytes are cut into pieces changes nothing. `end` is for a body that ended as its
  framing says, and raises `Unsayable` where the answer in it had not: a cut stream never ends cleanly. An error that
  comes before anything was said is `Unsayable` (another target may be tried); one that comes later is said as X says
  errors inside a stream, and `end` gives nothing more.
"""
