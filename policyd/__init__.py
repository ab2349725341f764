"""policyd: the firewall for LLM traffic whose policy can be proved."""

__version__ = "0.1.0"
__all__ = ["__version__"]
