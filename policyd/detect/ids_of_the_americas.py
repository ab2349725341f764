"""National ids and tax numbers of the Americas: a row each, with its form, its check digits and the words that name it."""

from typing import Final

from policyd.detect.identifiers import BESIDE, KEYED, Kind
from policyd.detect.sums import identity_bo, identity_uy, taxpayer_py

__all__ = ["FORMED", "WORDED"]

FORMED: Final = (
    Kind("national-id.us-ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", "us.ssn"),
    Kind("tax-id.us-itin", r"9[0-9]{2}-[0-9]{2}-[0-9]{4}", "us.itin"),
    Kind("national-id.br-cpf", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", "br.cpf"),
    Kind("tax-id.br-cnpj", r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}", "br.cnpj"),
    Kind("tax-id.ar-cuit", r"(?:2[0347]|3[034])-[0-9]{8}-[0-9]", "ar.cuit"),
    Kind("national-id.cl-rut", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]", "cl.rut"),
    Kind("national-id.mx-curp", r"[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]", "mx.curp"),
    Kind("national-id.do-cedula", r"[0-9]{3}-[0-9]{7}-[0-9]", "do.cedula"),
    Kind("tax-id.ve-rif", r"[VEJPGC]-[0-9]{8}-[0-9]", "ve.rif"),
    Kind("tax-id.sv-nit", r"[0-9]{4}-[0-9]{6}-[0-9]{3}-[0-9]", "sv.nit"),
)
"""Their form and their check digits say enough."""

PERSON_WORDS: Final = ("cédula", "cédula de identidad", "cédula nº", "c.i.", "ci nº", "ci nro", "documento de identidad", "nro documento", "número de documento", "carnet de identidad", "carné de identidad", "documento identidad", "número documento", "kuatia rekokuaa")  # fmt: skip

RUC: Final = (
    "ruc",
    "r.u.c.",
    "registro único de contribuyentes",
    "registro único de contribuyente",
    "registro único del contribuyente",
)

WORDED: Final = (
    Kind("national-id.us-ssn", r"[0-9]{9}|[0-9]{3} [0-9]{2} [0-9]{4}", "us.ssn", ("ssn", "social security", "soc sec")),
    Kind("tax-id.us-itin", r"9[0-9]{8}", "us.itin", ("itin", "individual taxpayer")),
    Kind("tax-id.us-ein", r"[0-9]{2}-?[0-9]{7}", "us.ein", ("ein", "fein", "employer identification", "federal tax id", "tax identification", "tax id")),
    Kind("tax-id.us-ptin", r"P-?[0-9]{8}", "us.ptin", ("ptin", "preparer tax")),
    Kind("national-id.ca-sin", r"[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}", "ca.sin", ("sin", "social insurance", "assurance sociale", "n.a.s.")),
    Kind("tax-id.ca-bn", r"[0-9]{9}(?: ?R[CMPTZ] ?[0-9]{4})?", "ca.bn", ("business number", "numéro d'entreprise", "gst/hst", "cra number")),
    Kind("national-id.br-cpf", r"[0-9]{9}-?[0-9]{2}", "br.cpf", ("cpf", "cadastro de pessoa")),
    Kind("tax-id.br-cnpj", r"[0-9A-Z]{12}-?[0-9]{2}", "br.cnpj", ("cnpj", "cadastro nacional da pessoa")),
    Kind("tax-id.ar-cuit", r"(?:2[0347]|3[034])[ ]?[0-9]{8}[ ]?[0-9]", "ar.cuit", ("cuit", "cuil", "c.u.i.t.", "c.u.i.l.", "clave única de identificación")),
    Kind("national-id.ar-dni", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}|[0-9]{7,8}", "ar.dni", ("dni", "d.n.i.", "documento nacional de identidad", "documento nacional"), close=True),
    Kind("national-id.bo-ci", r"[0-9]{5,8}(?:-[0-9][A-Z])?[ \-]?(?:LP|CB|SC|OR|PT|CH|TJ|BE|PD|BN)", identity_bo, ("ci", *PERSON_WORDS), close=True),
    Kind("tax-id.bo-nit", r"[0-9]{7,12}", identity_bo, ("nit bolivia", "nit bo"), close=True),
    Kind("national-id.cl-rut", r"[0-9]{7,8}-?[0-9Kk]", "cl.rut", ("rut", "run", "r.u.t.", "r.u.n.", "rol único")),
    Kind("tax-id.co-nit", r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]", "co.nit", ("nit", "n.i.t.", "número de identificación tributaria")),
    Kind("national-id.co-cedula", r"[0-9]{1,3}(?:\.[0-9]{3}){2,3}|[0-9]{8,10}", identity_bo, ("cédula de ciudadanía", "cédula ciudadanía", "c.c.", "cédula de extranjería"), close=True),
    Kind("national-id.cr-cpf", r"[0-9]{1,2}-[0-9]{4}-[0-9]{4}|[0-9]{9,10}", "cr.cpf", ("cédula física", "cédula", "cédula de identidad")),
    Kind("tax-id.cr-cpj", r"[2-5]-?[0-9]{3}-?[0-9]{6}", "cr.cpj", ("cédula jurídica", "persona jurídica")),
    Kind("national-id.cu-ni", r"[0-9]{11}", "cu.ni", ("carné de identidad", "número de identidad", "carnet de identidad")),
    Kind("national-id.do-cedula", r"[0-9]{11}", "do.cedula", ("cédula", "cédula de identidad")),
    Kind("tax-id.do-rnc", r"[0-9]-?[0-9]{2}-?[0-9]{5}-?[0-9]", "do.rnc", ("rnc", "registro nacional del contribuyente", "registro nacional de contribuyentes")),
    Kind("national-id.ec-ci", r"[0-9]{9}-?[0-9]", "ec.ci", ("cédula", "cédula de identidad", "cédula de ciudadanía", "c.i.")),
    Kind("tax-id.ec-ruc", r"[0-9]{10}-?[0-9]{3}", "ec.ruc", ("ruc", "r.u.c.", "registro único de contribuyentes", "registro único de contribuyente")),
    Kind("tax-id.gt-nit", r"[0-9]{5,8}-[0-9Kk]", "gt.nit", ("nit", "n.i.t.", "número de identificación tributaria")),
    Kind("tax-id.mx-rfc", r"[A-Z&]{3,4}-?[0-9]{6}-?[0-9A-Z]{3}", "mx.rfc", ("rfc", "r.f.c.", "registro federal de contribuyentes"), close=True),
    Kind("national-id.pe-cui", r"[0-9]{8}-[0-9A-K]", "pe.cui", ("dni", "d.n.i.", "cui", "documento nacional")),
    Kind("tax-id.pe-ruc", r"[0-9]{11}", "pe.ruc", ("ruc", "r.u.c.", "registro único de contribuyentes", "registro único de contribuyente")),
    Kind("national-id.py-ci", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}|[0-9]{3}\.[0-9]{3}|[0-9]{6,7}", identity_bo, PERSON_WORDS, close=True),
    Kind("national-id.py-ci", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}", identity_bo, ("documento",), close=True),
    Kind("national-id.py-ci", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}", identity_bo, ("ci", "cin"), gap=BESIDE),
    Kind("national-id.py-ci", r"[0-9]{6,7}", identity_bo, ("ci", "cin"), gap=KEYED),
    Kind("tax-id.py-ruc", r"[0-9]{5,8}-[0-9]|[0-9]{1,3}(?:\.[0-9]{3}){1,2}-[0-9]", taxpayer_py, (*RUC, "contribuyente")),
    Kind("tax-id.py-ruc", r"[0-9]{6,9}", taxpayer_py, RUC, gap=BESIDE),
    Kind("tax-id.sv-nit", r"[0-9]{14}", "sv.nit", ("nit", "n.i.t.", "número de identificación tributaria")),
    Kind("tax-id.uy-rut", r"[0-9]{2}-?[0-9]{6}-?[0-9]{3}-?[0-9]", "uy.rut", ("rut", "r.u.t.", "registro único tributario")),
    Kind("national-id.uy-ci", r"[0-9]\.[0-9]{3}\.[0-9]{3}-[0-9]|[0-9]{6,7}-[0-9]", identity_uy, ("ci", *PERSON_WORDS)),
    Kind("tax-id.ve-rif", r"[VEJPGC][\- ]?[0-9]{8}-?[0-9]", "ve.rif", ("rif", "r.i.f.", "registro de información fiscal", "registro único de información fiscal")),
    Kind("national-id.ve-ci", r"[VE][\- ]?[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}", identity_bo, ("ci", *PERSON_WORDS), close=True),
)  # fmt: skip
"""They count near one of their words."""
