"""Bank accounts that are no IBAN, and wallets. Rows for the machine of `policyd.detect.identifiers`.

A BIC is no finding: it names a bank, and nobody's account.
"""

from typing import Final

from policyd.detect.identifiers import Kind
from policyd.detect.sums import clabe

__all__ = ["FORMED", "WALLETS", "WORDED"]

FORMED: Final = (Kind("bank-account.ar-cbu", r"[0-9]{22}", "ar.cbu"),)

WALLETS: Final = (
    Kind("crypto-wallet.bitcoin", r"bc1[02-9ac-hj-np-z]{11,71}|[13][1-9A-HJ-NP-Za-km-z]{25,34}", "bitcoin"),
)
"""Their check digits are a hash, so they need no word."""

WORDED: Final = (
    Kind("bank-account.us-routing", r"[0-9]{9}", "us.rtn", ("routing", "aba", "rtn", "transit number")),
    Kind("bank-account.number", r"[0-9]{6,17}|[0-9]{2,5}(?:[ \-][0-9]{2,6}){1,4}", None, ("account number", "account no", "acct no", "acct number", "bank account", "cuenta bancaria", "número de cuenta", "nro de cuenta", "nº de cuenta", "cuenta corriente", "caja de ahorro", "número da conta", "conta corrente", "conta bancária", "kontonummer", "konto nr", "numéro de compte", "n° de compte", "numero di conto", "rekeningnummer", "numer konta"), close=True),
    Kind("bank-account.mx-clabe", r"[0-9]{18}|[0-9]{3} [0-9]{3} [0-9]{11} [0-9]", clabe, ("clabe", "interbancaria")),
    Kind("bank-account.es-ccc", r"[0-9]{4}[ \-]?[0-9]{4}[ \-]?[0-9]{2}[ \-]?[0-9]{10}", "es.ccc", ("ccc", "cuenta", "código cuenta cliente")),
    Kind("bank-account.no-konto", r"[0-9]{4}[. ]?[0-9]{2}[. ]?[0-9]{5}", "no.kontonr", ("kontonummer", "kontonr")),
    Kind("bank-account.nz", r"[0-9]{2}-[0-9]{4}-[0-9]{7}-[0-9]{2,3}", "nz.bankaccount", ("account", "bank")),
    Kind("crypto-wallet.ethereum", r"0x[0-9a-fA-F]{40}", None, ("ethereum", "eth", "wallet", "erc20", "usdt", "metamask")),
)  # fmt: skip
