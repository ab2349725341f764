"""The table of private keys: PEM and its relatives, PuTTY, JWK, age, WireGuard, and DER and PKCS #12 in base64.

In base64, DER is known by its first bytes: a sequence, its length, a version, and what must follow in each format (RFC 8017,
RFC 5958, RFC 5915, RFC 7292).
"""

from typing import Final

from policyd.detect.checks import has_key_body, is_varied
from policyd.detect.pattern import Pattern, token

__all__ = ["PRIVATE_KEYS"]

PEM_IN_BASE64: Final = (
    r"LS0tLS1CRUdJTi(?:BSU0EgUFJJVkFURSBLRVk|BQUklWQVRFIEtFWS|BFQyBQUklWQVRFIEtFWS|BFTkNSWVBURUQgUFJJVkFURSBLRVk"
    r"|BEU0EgUFJJVkFURSBLRVk)"
)
LENGTH: Final = r"MII[A-Za-z0-9+/]{2}[AQgw]"
"""A sequence of 256 bytes and more, in base64, as far as it says nothing of what is in it."""
NEXT_LINE: Final = r"""["',+ \\]{0,6}(?:\\[rn]|[\r\n])(?:\\[rn]|[ \t\r\n>|#*"'+,]){0,48}"""
MUCH: Final = rf"(?:[A-Za-z0-9+/\r\n]{{60}}|[A-Za-z0-9+/]{{16,60}}{NEXT_LINE}[A-Za-z0-9+/]{{24}})"
SOME: Final = rf"(?:[A-Za-z0-9+/\r\n]{{40}}|[A-Za-z0-9+/]{{0,40}}{NEXT_LINE}[A-Za-z0-9+/]{{24}})"
"""Key material, whose lines may be indented, quoted, or strings of a program."""

PRIVATE_KEYS: Final = (
    Pattern("private-key.pem", ("private key-----",),
            r"-----BEGIN (?:RSA |EC |DSA |ENCRYPTED |ANY |SM2 |ED25519 |X25519 )?PRIVATE KEY-----", has_key_body),
    Pattern("private-key.openssh", ("openssh private key", "ssh2 encrypted private"),
            r"-----BEGIN OPENSSH PRIVATE KEY-----|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", has_key_body),
    Pattern("private-key.pgp", ("pgp private key block",), r"-----BEGIN PGP PRIVATE KEY BLOCK-----", has_key_body),
    Pattern("private-key.putty", ("putty-user-key-file-",), r"PuTTY-User-Key-File-[1-4]:"),
    token("private-key.pem", PEM_IN_BASE64, "LS0tLS1CRUdJTi", check=None),
    token("private-key.openssh", r"LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUg|b3BlbnNzaC1rZXktdjEA[A-Za-z0-9+/]{40}", "LS0tLS1CRUdJTi", "b3BlbnNzaC1rZXktdjEA", check=None),
    token("private-key.pgp", r"LS0tLS1CRUdJTiBQR1AgUFJJVkFURSBLRVkgQkxPQ0st", "LS0tLS1CRUdJTi", check=None),
    token("private-key.der", LENGTH + r"IBAA(?:KC|KB|JB)" + MUCH, "IBAAKC", "IBAAKB", "IBAAJB"),
    token("private-key.der", r"AgEAM(?:A0GCSqGSIb3DQEBAQUABI|BMGByqGSM49AgEGCCqGSM49AwEHBG|BAGByqGSM49AgEGBSuBBAA)" + SOME, "AgEAM"),
    token("private-key.der", LENGTH + r"IBADANBgkqhkiG9w0BAQEFAASC" + MUCH, "IBADANBgkqhkiG9w0BAQEFAASC"),
    token("private-key.der", r"(?:MHcCAQEEI|MIGkAgEBBD|MIHcAgEBBE|MC4CAQAwBQYDK2VwBCIEI|MFECAQEwBQYDK2VwBCIEI)" + SOME,
          "MHcCAQEEI", "MIGkAgEBBD", "MIHcAgEBBE", "MC4CAQAwBQYDK2VwBCIEI", "MFECAQEwBQYDK2VwBCIEI"),
    token("private-key.pkcs12", LENGTH + r"IBAzCC" + MUCH, "IBAzCC"),
    Pattern("private-key.jwk", ('"kty"', '"kty\\'), r'"d\\{0,3}"{1,2}\s*:\s*\\{0,3}"{1,2}[A-Za-z0-9_-]{42,700}(?:\\{0,3}"|\xe2\x80\xa6)', is_varied),  # cut in an outline
    token("private-key.age", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LA-Z0-9]{58}", "AGE-SECRET-KEY-1"),
    Pattern("private-key.wireguard", ("privatekey", "presharedkey"), r"(?:PrivateKey|PresharedKey)\s*=\s*([A-Za-z0-9+/]{43}=)", is_varied),
)  # fmt: skip
