"""Property tests of the engine compile policies: they are given time, and no example fails for being slow."""

from hypothesis import settings

settings.register_profile("engine", deadline=None)
settings.load_profile("engine")
