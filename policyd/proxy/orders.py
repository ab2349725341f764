"""The orders to end: the first asks for an orderly end, the second for an end at once. Of one event loop."""

import asyncio

__all__ = ["Orders"]


class Orders:
    """INVARIANT: `at_once` is set only when `stop` is."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.at_once = asyncio.Event()

    def give(self) -> None:
        """One more order."""
        if self.stop.is_set():
            self.at_once.set()
        self.stop.set()

    async def patience(self, seconds: float) -> None:
        """Returns after so many seconds, or with the second order."""
        try:
            async with asyncio.timeout(seconds):
                await self.at_once.wait()
        except TimeoutError:
            return
