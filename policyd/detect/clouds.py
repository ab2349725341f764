"""The table of credentials of clouds, hosts, and what runs on them."""

from typing import Final

from policyd.detect.checks import is_aws_id, is_google_key, is_random, is_varied
from policyd.detect.pattern import Pattern, alone, token

__all__ = ["CLOUDS"]

UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

CLOUDS: Final = (
    alone("secret.aws", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}", "AKIA", "ASIA", "ABIA", "ACCA", check=is_aws_id),
    Pattern("secret.aws", ("aws", "secret_access_key", "secretaccesskey", "secret access key"),
            r"(?i)(?:aws.{0,30}(?:secret|key)|secret_?access_?key|secret access key).{0,30}?([a-z0-9/+]{40})(?:[^a-z0-9/+=]|$)", is_random),
    token("secret.aws", r"ABSKQmVkcm9ja0FQSUtleS[A-Za-z0-9+/]{80,269}={0,2}|bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t[A-Za-z0-9+/=]{20,}", "ABSKQmVkcm9ja0FQSUtleS", "bedrock-api-key-"),
    Pattern("secret.aws", ("x-amz-signature=", "x-amz-security-token="), r"(?i)X-Amz-(?:Signature=[0-9a-f]{64}|Security-Token=[A-Za-z0-9%+/=]{100,})"),
    Pattern("secret.aws", ("amzn.mws.",), rf"(?i)amzn\.mws\.{UUID}"),
    alone("secret.gcp", r"AIza[0-9A-Za-z_-]{35}", "AIza", check=is_google_key),
    token("secret.gcp", r"GOCSPX-[0-9A-Za-z_-]{28}", "GOCSPX-"),
    token("secret.gcp", r"ya29\.(?:[a-z]\.)?[0-9A-Za-z_-]{30,}", "ya29."),
    alone("secret.gcp", r"GOOG(?:1E)?[A-Z0-9]{20,57}", "GOOG"),
    alone("secret.gcp", r"1//0[0-9A-Za-z_-]{40,}", "1//0"),
    Pattern("secret.azure", ("accountkey", "sharedaccesskey"), r"(?i)(?:AccountKey|SharedAccessKey)\s*=\s*(?:[A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=)", is_varied),
    Pattern("secret.azure", ("sig=",), r"[?&]sig=([A-Za-z0-9%+/]{43,}(?:%3[Dd]|=))", is_varied),
    Pattern("secret.azure", (), r"""(?:^|[\\'"\x60\s>=:(,\[|{])([A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})(?:$|\.(?:\s|$)|[\\'"\x60\s<),;\]|}])""", is_varied, ("Q~",)),
    token("secret.azure", r"[0-9A-Za-z]{52}JQQJ9[0-9A-Za-z]{27}", "JQQJ9"),
    Pattern("secret.azure", (), r"(?:^|[^A-Za-z0-9+/])([A-Za-z0-9+/]{76}(?:APIM|ACDb|\+(?:ABa|AMC|ASt))[A-Za-z0-9+/]{5}[AQgw]==)", is_varied, ("APIM", "ACDb", "+ABa", "+AMC", "+ASt")),
    Pattern("secret.azure", (), r"(?:^|[^A-Za-z0-9+/])([A-Za-z0-9+/]{33}(?:AIoT|\+(?:ASb|AEh|ARm))[A-Za-z0-9+/]{5}[AEIMQUYcgkosw048]=)", is_varied, ("AIoT", "+ASb", "+AEh", "+ARm")),
    alone("secret.azure", r"[A-Za-z0-9]{42}AzSe[A-D][A-Za-z0-9]{5}|[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}[AQgw]==", "AzSe", "AzFu"),
    alone("secret.azure-devops", r"[A-Za-z0-9]{75}AZDO[A-Za-z0-9]{5}", "AZDO"),
    alone("secret.alibaba", r"LTAI[A-Za-z0-9]{16,24}", "LTAI"),
    alone("secret.tencent", r"AKID[A-Za-z0-9]{32}", "AKID"),
    alone("secret.yandex", r"AQVN[A-Za-z0-9_-]{35,38}|YCA[A-Za-z0-9_-]{37}|t1\.[A-Z0-9a-z_-]{20,}={0,2}\.[A-Z0-9a-z_-]{86}={0,2}|y0__?[A-Za-z0-9_-]{50,}",
          "AQVN", "YCA", "t1.", "y0_", check=is_random),
    alone("secret.oracle-cloud", r"ocid1\.credential\.[a-z0-9.-]+\.[a-z0-9]{40,}", "ocid1.credential."),
    token("secret.digitalocean", r"do[opr]_v1_[a-f0-9]{64}", "doo_v1_", "dop_v1_", "dor_v1_"),
    token("secret.cloudflare", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}", "v1.0-"),
    token("secret.cloudflare", r"cf(?:ut|k|at)_[A-Za-z0-9]{40,}", "cfut_", "cfk_", "cfat_"),
    token("secret.heroku", r"HRKU-AA[0-9A-Za-z_-]{58}", "HRKU-AA"),
    alone("secret.fly", r"fo1_[A-Za-z0-9_-]{43}|fm1[ar]_[A-Za-z0-9+/]{100,}={0,3}|fm2_[A-Za-z0-9+/]{100,}={0,3}", "fo1_", "fm1a_", "fm1r_", "fm2_"),
    token("secret.vercel", r"vc[piark]_[A-Za-z0-9]{24,}", "vcp_", "vci_", "vca_", "vcr_", "vck_", check=is_random),
    token("secret.netlify", r"nf[pcoub]_[A-Za-z0-9]{36}", "nfp_", "nfc_", "nfo_", "nfu_", "nfb_"),
    token("secret.render", r"rnd_[A-Za-z0-9]{28,36}", "rnd_", check=is_random),
    token("secret.scalingo", r"tk-us-[A-Za-z0-9_-]{48}", "tk-us-"),
    alone("secret.scaleway", r"SCW[A-Z0-9]{17}", "SCW"),
    token("secret.hetzner", r"hcloud_[A-Za-z0-9]{64}", "hcloud_"),
    token("secret.vault", r"hv[sbr]\.[A-Za-z0-9_-]{24,}", "hvs.", "hvb.", "hvr."),
    token("secret.terraform", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}", ".atlasv1."),
    token("secret.pulumi", r"pul-[a-f0-9]{40}", "pul-"),
    token("secret.databricks", r"dapi[a-f0-9]{32}(?:-[0-9])?|dose[a-f0-9]{32}", "dapi", "dose"),
    alone("secret.snowflake", r"ver:1-hint:[0-9]{10,}-ETMs[A-Za-z0-9+/=_-]{40,}", "ver:1-hint:"),
    token("secret.openshift", r"sha256~[A-Za-z0-9_-]{43}", "sha256~"),
    alone("secret.clickhouse", r"4b1d[A-Za-z0-9]{38}", "4b1d", check=is_random),
    token("secret.planetscale", r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9=._-]{32,}", "pscale_"),
    token("secret.supabase", r"sbp_(?:oauth_|v0_)?[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{22,}", "sbp_", "sb_secret_"),
    token("secret.neon", r"napi_[a-z0-9]{64}", "napi_"),
    token("secret.mongodb-atlas", r"mdb_sa_sk_[A-Za-z0-9_-]{40,}", "mdb_sa_sk_"),
    token("secret.aiven", r"AVNS_[A-Za-z0-9_-]{16,24}", "AVNS_"),
    alone("secret.confluent", r"cflt[A-Za-z0-9+/]{60}", "cflt", check=is_random),
    token("secret.tailscale", r"tskey-[a-z]+-[A-Za-z0-9]{6,}-?[A-Za-z0-9]*", "tskey-"),
    token("secret.ngrok", r"ngrok_[A-Za-z0-9_]{40,}", "ngrok_"),
    token("secret.defined-networking", r"dnkey-[A-Za-z0-9=_-]{26}-[A-Za-z0-9=_-]{52}", "dnkey-"),
)  # fmt: skip
