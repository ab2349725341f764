"""National ids and tax numbers of Africa, Asia and Oceania: a row each, with its form, its check digits and its words."""

from typing import Final

from policyd.detect.identifiers import Kind
from policyd.detect.sums import identity_sg, identity_tw

__all__ = ["FORMED", "WORDED"]

FORMED: Final = (
    Kind("national-id.cn-ric", r"[1-9][0-9]{5}(?:19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9Xx]", "cn.ric"),
    Kind("tax-id.in-gstin", r"[0-3][0-9][A-Z]{5}[0-9]{4}[A-Z][0-9A-Z]Z[0-9A-Z]", "in_.gstin"),
    Kind("tax-id.id-npwp", r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}\.[0-9]-[0-9]{3}\.[0-9]{3}", "id.npwp"),
    Kind("national-id.kr-rrn", r"[0-9]{6}-[0-9]{7}", "kr.rrn"),
    Kind("national-id.pk-cnic", r"[1-7][0-9]{4}-[0-9]{7}-[1-9]", "pk.cnic"),
    Kind("national-id.th-pin", r"[1-8]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]", "th.pin"),
)
"""Their form and their check digits say enough."""

WORDED: Final = (
    Kind("tax-id.au-tfn", r"[0-9]{3} ?[0-9]{3} ?[0-9]{2,3}", "au.tfn", ("tfn", "tax file")),
    Kind("tax-id.au-abn", r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "au.abn", ("abn", "australian business number")),
    Kind("tax-id.au-acn", r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "au.acn", ("acn", "australian company number")),
    Kind("tax-id.cn-uscc", r"[0-9]{8}[0-9A-HJ-NPQRTUWXY]{10}", "cn.uscc", ("统一社会信用代码", "社会信用代码", "uscc", "unified social credit")),
    Kind("tax-id.dz-nif", r"[0-9]{15}(?:[0-9]{5})?", "dz.nif", ("nif", "numéro d'identification fiscale")),
    Kind("tax-id.eg-tn", r"[0-9]{3}-?[0-9]{3}-?[0-9]{3}", "eg.tn", ("رقم التسجيل الضريبي", "tax registration")),
    Kind("tax-id.gh-tin", r"[PCGQV][0-9]{9}[0-9X]|[PCGQV]00[0-9]{7}[0-9X]", "gh.tin", ("tin", "ghana tin")),
    Kind("national-id.id-nik", r"[1-9][0-9]{15}", "id.nik", ("nik", "ktp", "nomor induk kependudukan")),
    Kind("tax-id.id-npwp", r"[0-9]{15,16}", "id.npwp", ("npwp",)),
    Kind("national-id.il-id", r"[0-9]{7,8}-?[0-9]", "il.idnr", ("מספר זהות", "תעודת זהות", "ת.ז.", "ת\"ז", "teudat zehut", "israeli id")),
    Kind("tax-id.il-hp", r"5[0-9]{8}", "il.hp", ("ח.פ.", "ח\"פ", "מספר חברה")),
    Kind("national-id.in-aadhaar", r"[2-9][0-9]{3}[ \-]?[0-9]{4}[ \-]?[0-9]{4}", "in_.aadhaar", ("aadhaar", "aadhar", "uidai", "आधार")),
    Kind("tax-id.in-pan", r"[A-Z]{5}[0-9]{4}[A-Z]", "in_.pan", ("pan", "permanent account", "income tax")),
    Kind("national-id.in-epic", r"[A-Z]{3}[0-9]{7}", "in_.epic", ("voter id", "epic no", "epic number", "voter card")),
    Kind("national-id.jp-my-number", r"[0-9]{4}[ \-]?[0-9]{4}[ \-]?[0-9]{4}", "jp.in_", ("マイナンバー", "個人番号", "my number", "mynumber", "individual number")),
    Kind("tax-id.jp-corporate-number", r"[0-9]-?[0-9]{4}-?[0-9]{4}-?[0-9]{4}", "jp.cn", ("法人番号", "corporate number")),
    Kind("tax-id.ke-pin", r"[AP][0-9]{9}[A-Z]", "ke.pin", ("kra", "pin")),
    Kind("tax-id.kr-brn", r"[0-9]{3}-[0-9]{2}-[0-9]{5}", "kr.brn", ("사업자등록번호", "사업자번호", "business registration")),
    Kind("national-id.kr-rrn", r"[0-9]{13}", "kr.rrn", ("주민등록번호", "주민번호", "resident registration")),
    Kind("tax-id.ma-ice", r"[0-9]{15}", "ma.ice", ("ice",)),
    Kind("national-id.mu-nid", r"[A-Z][0-9]{12}[0-9A-Z]", "mu.nid", ("nid", "national identity")),
    Kind("national-id.my-nric", r"[0-9]{6}-[0-9]{2}-[0-9]{4}|[0-9]{12}", "my.nric", ("nric", "mykad", "kad pengenalan", "ic no", "ic number", "no kp")),
    Kind("tax-id.mz-nuit", r"[0-9]{9}", "mz.nuit", ("nuit",)),
    Kind("tax-id.nz-ird", r"[0-9]{2,3}[\- ]?[0-9]{3}[\- ]?[0-9]{3}", "nz.ird", ("ird", "inland revenue")),
    Kind("national-id.pk-cnic", r"[1-7][0-9]{12}", "pk.cnic", ("cnic", "nadra")),
    Kind("national-id.sg-nric", r"[STFGM][0-9]{7}[A-Z]", identity_sg, ("nric", "fin", "fin no", "singapore", "ic no", "identity card")),
    Kind("tax-id.sg-uen", r"[0-9]{8,9}[A-Z]|[TSR][0-9]{2}[A-Z]{2}[0-9]{4}[A-Z]", "sg.uen", ("uen", "unique entity number")),
    Kind("tax-id.sn-ninea", r"[0-9]{7} ?[0-9][A-Z][0-9]", "sn.ninea", ("ninea",)),
    Kind("national-id.th-pin", r"[1-8][0-9]{12}", "th.pin", ("เลขประจำตัวประชาชน", "บัตรประชาชน", "thai id")),
    Kind("tax-id.tn-mf", r"[0-9]{7}/?[A-Z](?:/?[A-Z]/?[A-Z]/?[0-9]{3})?", "tn.mf", ("matricule fiscal",)),
    Kind("national-id.tr-tckimlik", r"[1-9][0-9]{10}", "tr.tckimlik", ("tc kimlik", "t.c. kimlik", "tckn", "kimlik no", "kimlik numarası", "tc no")),
    Kind("tax-id.tr-vkn", r"[0-9]{10}", "tr.vkn", ("vergi kimlik", "vergi no", "vergi numarası", "vkn")),
    Kind("national-id.tw-id", r"[A-Z][1289][0-9]{8}", identity_tw, ("身分證", "身份證", "統一編號", "national id", "taiwan id")),
    Kind("tax-id.tw-ubn", r"[0-9]{8}", "tw.ubn", ("統一編號", "統編")),
    Kind("tax-id.vn-mst", r"[0-9]{10}(?:-?[0-9]{3})?", "vn.mst", ("mã số thuế", "mst")),
    Kind("national-id.za-id", r"[0-9]{6} ?[0-9]{4} ?[0-9]{3}", "za.idnr", ("id number", "id no", "identity number", "rsa id", "sa id", "south african id", "identiteitsnommer")),
    Kind("tax-id.za-tin", r"[01239][0-9]{3}/?[0-9]{3}/?[0-9]{3}", "za.tin", ("sars", "income tax number", "tax reference")),
)  # fmt: skip
"""They count near one of their words."""
