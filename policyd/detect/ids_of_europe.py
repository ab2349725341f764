"""National ids and tax numbers of Europe: a row each, with its form, its check digits and the words that name it."""

from typing import Final

from policyd.detect.identifiers import Kind

__all__ = ["FORMED", "LETTERED", "WORDED"]

FORMED: Final = (
    Kind("national-id.es-nie", r"[XYZ]-?[0-9]{7}-?[A-HJ-NP-TV-Z]", "es.nie"),
    Kind("national-id.be-nn", r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}[.\- ][0-9]{2}", "be.nn"),
    Kind("national-id.ch-ahv", r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}", "ch.ssn"),
    Kind("tax-id.ch-uid", r"CHE-[0-9]{3}\.[0-9]{3}\.[0-9]{3}", "ch.uid"),
    Kind("national-id.fi-hetu", r"[0-9]{6}[\-+A][0-9]{3}[0-9A-FHJ-NPR-Y]", "fi.hetu"),
    Kind("tax-id.nl-btw", r"NL[0-9]{9}B[0-9]{2}", "nl.btw"),
)
"""Their form and their check digits say enough."""

LETTERED: Final = (
    Kind("national-id.it-cf", r"[A-Z]{6}[0-9LMNPQRSTUV]{2}[A-EHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]", "it.codicefiscale"),
)  # fmt: skip
"""They may stand for all their digits with letters."""

VAT: Final = ("vat", "ust idnr", "ust id", "ustid", "umsatzsteuer", "tva", "iva", "btw", "moms", "alv", "podatek vat", "value added tax", "intracommunautaire")  # fmt: skip

WORDED: Final = (
    Kind("tax-id.eu-vat", r"(?:AT|B[EG]|C[YZ]|D[EK]|E[ELS]|F[IR]|GR|H[RU]|I[ET]|L[TUV]|MT|NL|P[LT]|RO|S[EIK]) ?[0-9A-Z][0-9A-Z. ]{6,13}[0-9A-Z]", "eu.vat", VAT),
    Kind("national-id.at-vnr", r"[0-9]{4} ?[0-9]{6}", "at.vnr", ("sozialversicherungsnummer", "svnr", "sv nummer", "versicherungsnummer")),
    Kind("tax-id.at-tin", r"[0-9]{2}-?[0-9]{3}/?[0-9]{4}", "at.tin", ("abgabenkontonummer", "steuernummer")),
    Kind("national-id.be-nn", r"[0-9]{11}", "be.nn", ("rijksregisternummer", "numéro de registre national", "registre national", "insz", "niss")),
    Kind("national-id.bg-egn", r"[0-9]{10}", "bg.egn", ("егн", "egn")),
    Kind("tax-id.by-unp", r"[0-9A-Z]{2}[0-9]{7}", "by.unp", ("унп", "unp")),
    Kind("national-id.ch-ahv", r"756[0-9]{10}", "ch.ssn", ("ahv", "avs", "sozialversicherungsnummer")),
    Kind("national-id.cz-rc", r"[0-9]{6}/?[0-9]{3,4}", "cz.rc", ("rodné číslo", "rodné čislo", "rč", "r.č.")),
    Kind("tax-id.cz-dic", r"(?:CZ)?[0-9]{8,10}", "cz.dic", ("dič", "ičo")),
    Kind("tax-id.de-idnr", r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "de.idnr", ("steuer id", "steuerid", "idnr", "steuerliche identifikationsnummer", "steueridentifikationsnummer", "identifikationsnummer", "tax id")),
    Kind("tax-id.de-stnr", r"[0-9]{2,3}[/ ][0-9]{3,4}[/ ][0-9]{4,5}|[0-9]{13}", "de.stnr", ("steuernummer", "steuer nr", "st nr", "stnr")),
    Kind("national-id.dk-cpr", r"[0-9]{6}-?[0-9]{4}", "dk.cpr", ("cpr", "cpr nummer", "personnummer")),
    Kind("tax-id.dk-cvr", r"[0-9]{8}", "dk.cvr", ("cvr",)),
    Kind("national-id.ee-ik", r"[0-9]{11}", "ee.ik", ("isikukood",)),
    Kind("national-id.es-dni", r"[0-9]{8}-?[A-HJ-NP-TV-Z]", "es.dni", ("dni", "d.n.i.", "nif", "n.i.f.", "identidad", "documento")),
    Kind("tax-id.es-cif", r"[A-HJNP-SUVW]-?[0-9]{7}-?[0-9A-J]", "es.cif", ("cif", "c.i.f.", "nif", "n.i.f.")),
    Kind("tax-id.fi-ytunnus", r"[0-9]{7}-[0-9]", "fi.ytunnus", ("y tunnus", "business id", "ly tunnus")),
    Kind("national-id.fr-nir", r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9AB]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", "fr.nir", ("nir", "insee", "sécurité sociale", "assuré", "assurance", "numéro de sécu")),
    Kind("tax-id.fr-nif", r"[0-3][0-9] ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "fr.nif", ("numéro fiscal", "n° fiscal", "référence fiscale", "spi")),
    Kind("tax-id.fr-siren", r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "fr.siren", ("siren", "rcs")),
    Kind("tax-id.fr-siret", r"[0-9]{3} ?[0-9]{3} ?[0-9]{3} ?[0-9]{5}", "fr.siret", ("siret",)),
    Kind("national-id.gb-nino", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]", None, ("national insurance", "nino", "ni no", "ni number")),
    Kind("tax-id.gb-utr", r"[0-9]{5} ?[0-9]{5}", "gb.utr", ("utr", "unique taxpayer")),
    Kind("tax-id.gb-vat", r"(?:GB ?)?[0-9]{3} ?[0-9]{4} ?[0-9]{2}", "gb.vat", ("vat", "vat no", "vat number")),
    Kind("national-id.gr-amka", r"[0-9]{11}", "gr.amka", ("αμκα", "α.μ.κ.α.", "amka")),
    Kind("tax-id.gr-afm", r"[0-9]{9}", "gr.vat", ("αφμ", "α.φ.μ.", "afm")),
    Kind("national-id.hr-oib", r"[0-9]{11}", "hr.oib", ("oib", "osobni identifikacijski broj")),
    Kind("tax-id.hu-anum", r"[0-9]{8}-[0-9]-[0-9]{2}|[0-9]{8}", "hu.anum", ("adószám",)),
    Kind("national-id.ie-pps", r"[0-9]{7}[A-W][AHWTX]?", "ie.pps", ("pps", "ppsn", "personal public service")),
    Kind("national-id.is-kennitala", r"[0-9]{6}-?[0-9]{4}", "is_.kennitala", ("kennitala", "kt")),
    Kind("tax-id.it-iva", r"(?:IT)?[0-9]{11}", "it.iva", ("partita iva", "p.iva", "p. iva", "piva")),
    Kind("national-id.lt-asmens", r"[0-9]{11}", "lt.asmens", ("asmens kodas", "asmens kod")),
    Kind("national-id.lv-pk", r"[0-9]{6}-?[0-9]{5}", "lv.pvn", ("personas kods",)),
    Kind("national-id.md-idno", r"[0-9]{13}", "md.idno", ("idno", "idnp")),
    Kind("tax-id.mk-edb", r"(?:MK)?[0-9]{13}", "mk.edb", ("едб", "edb")),
    Kind("national-id.nl-bsn", r"[0-9]{9}", "nl.bsn", ("bsn", "burgerservice", "sofi")),
    Kind("national-id.no-fnr", r"[0-9]{6} ?[0-9]{5}", "no.fodselsnummer", ("fødselsnummer", "personnummer", "fodselsnummer", "fnr")),
    Kind("tax-id.no-orgnr", r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "no.orgnr", ("organisasjonsnummer", "orgnr", "org nr")),
    Kind("national-id.pl-pesel", r"[0-9]{11}", "pl.pesel", ("pesel",)),
    Kind("tax-id.pl-nip", r"[0-9]{3}-?[0-9]{3}-?[0-9]{2}-?[0-9]{2}|[0-9]{3}-[0-9]{2}-[0-9]{2}-[0-9]{3}", "pl.nip", ("nip",)),
    Kind("tax-id.pl-regon", r"[0-9]{9}(?:[0-9]{5})?", "pl.regon", ("regon",)),
    Kind("national-id.pt-cc", r"[0-9]{8} ?[0-9] ?[A-Z0-9]{2}[0-9]", "pt.cc", ("cartão de cidadão", "cartão do cidadão", "bilhete de identidade")),
    Kind("tax-id.pt-nif", r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "pt.nif", ("nif", "nipc", "contribuinte", "número fiscal")),
    Kind("national-id.ro-cnp", r"[0-9]{13}", "ro.cnp", ("cnp", "cod numeric personal")),
    Kind("tax-id.ro-cui", r"(?:RO)?[0-9]{6,10}", "ro.cui", ("cui", "cif", "cod fiscal", "cod unic"), close=True),
    Kind("tax-id.rs-pib", r"[0-9]{9}", "rs.pib", ("pib", "пиб")),
    Kind("tax-id.ru-inn", r"[0-9]{10}|[0-9]{12}", "ru.inn", ("инн",)),
    Kind("tax-id.ru-ogrn", r"[0-9]{13}|[0-9]{15}", "ru.ogrn", ("огрн", "огрнип")),
    Kind("national-id.se-pnr", r"(?:19|20)?[0-9]{6}[\-+][0-9]{4}", "se.personnummer", ("personnummer", "pnr", "ssn")),
    Kind("tax-id.se-orgnr", r"[0-9]{6}-?[0-9]{4}", "se.orgnr", ("organisationsnummer", "orgnr", "org nr")),
    Kind("national-id.si-emso", r"[0-9]{13}", "si.emso", ("emšo", "emso")),
    Kind("tax-id.si-ddv", r"(?:SI)?[0-9]{8}", "si.ddv", ("davčna številka",)),
    Kind("national-id.sk-rc", r"[0-9]{6}/?[0-9]{3,4}", "sk.rc", ("rodné číslo", "rč", "r.č.")),
    Kind("tax-id.ua-edrpou", r"[0-9]{8}", "ua.edrpou", ("єдрпоу", "edrpou")),
    Kind("tax-id.ua-rntrc", r"[0-9]{10}", "ua.rntrc", ("рнокпп", "іпн")),
)  # fmt: skip
"""They count near one of their words."""
