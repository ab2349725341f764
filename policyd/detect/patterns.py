"""The table of detectors: which public formats are found, and under which name.

Each `Pattern` has literals of which one must occur (case ignored) before its expression is tried, an expression in RE2's
syntax over UTF-8 bytes, and perhaps a check on each candidate. Formats, prefixes and lengths are what the issuers publish.
No expression starts with a word boundary where the prefix is unmistakable, so gluing other text in front hides nothing.

Not here: cards, account numbers and national ids, which are digits and need arithmetic (`checks`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from policyd.detect.checks import has_key_body, is_jwt, is_literal_password, is_random

__all__ = ["PATTERNS", "Pattern"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One format. `check` gets the whole text and a candidate's bounds (of its only group, where there is one)."""

    finding: str
    keywords: tuple[str, ...]
    expression: str
    check: Callable[[bytes, int, int], bool] | None = None


def _token(finding: str, expression: str, *keywords: str) -> Pattern:
    return Pattern(finding, keywords, expression)


PRIVATE_KEYS: Final = (
    Pattern("private-key.pem", ("private key-----",), r"-----BEGIN (?:RSA |EC |DSA |ENCRYPTED |ANY )?PRIVATE KEY-----", has_key_body),
    Pattern("private-key.openssh", ("openssh private key", "ssh2 encrypted private"),
            r"-----BEGIN OPENSSH PRIVATE KEY-----|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", has_key_body),
    Pattern("private-key.pgp", ("pgp private key block",), r"-----BEGIN PGP PRIVATE KEY BLOCK-----", has_key_body),
    _token("private-key.putty", r"PuTTY-User-Key-File-[1-4]:", "putty-user-key-file-"),
    _token("private-key.pem", r"LS0tLS1CRUdJTi(?:BSU0EgUFJJVkFURSBLRVk|BQUklWQVRFIEtFWS|BFQyBQUklWQVRFIEtFWS|BFTkNSWVBURUQgUFJJVkFURSBLRVk|BEU0EgUFJJVkFURSBLRVk)", "ls0tls1crudjti"),
    _token("private-key.openssh", r"LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUg|b3BlbnNzaC1rZXktdjEA[A-Za-z0-9+/]{40}", "ls0tls1crudjti", "b3blbnnzac1rzxktdjea"),
    _token("private-key.jwk", r'"d"\s*:\s*"[A-Za-z0-9_-]{32,}', '"kty"'),
    _token("private-key.age", r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}", "age-secret-key-1"),
    _token("private-key.wireguard", r"PrivateKey\s*=\s*[A-Za-z0-9+/]{43}=", "privatekey"),
)  # fmt: skip

CLOUDS: Final = (
    _token("secret.aws", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?:[^A-Za-z0-9]|$)", "akia", "asia", "abia", "acca"),
    Pattern("secret.aws", ("aws", "secret_access_key", "secretaccesskey", "secret access key"),
            r"(?i)(?:aws.{0,30}(?:secret|key)|secret_?access_?key|secret access key).{0,30}?([a-z0-9/+]{40})(?:[^a-z0-9/+=]|$)", is_random),
    _token("secret.aws", r"ABSK[A-Za-z0-9+/]{109,269}={0,2}", "absk"),
    _token("secret.gcp", r"AIza[0-9A-Za-z_-]{35}", "aiza"),
    _token("secret.gcp", r"GOCSPX-[0-9A-Za-z_-]{28}", "gocspx-"),
    _token("secret.gcp", r"ya29\.[0-9A-Za-z_-]{30,}", "ya29."),
    _token("secret.azure", r"(?i)(?:AccountKey|SharedAccessKey)\s*=\s*(?:[A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=)", "accountkey", "sharedaccesskey"),
    _token("secret.azure", r"[?&]sig=[A-Za-z0-9%+/]{43,}(?:%3[Dd]|=)", "sig="),
    _token("secret.azure", r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}", "q~"),
    _token("secret.azure", r"[0-9A-Za-z]{52}JQQJ9[0-9A-Za-z]{27}", "jqqj9"),
    _token("secret.alibaba", r"LTAI[A-Za-z0-9]{16,24}(?:[^A-Za-z0-9]|$)", "ltai"),
    _token("secret.digitalocean", r"do[opr]_v1_[a-f0-9]{64}", "doo_v1_", "dop_v1_", "dor_v1_"),
    _token("secret.cloudflare", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}", "v1.0-"),
    _token("secret.heroku", r"HRKU-AA[0-9A-Za-z_-]{58}", "hrku-aa"),
    _token("secret.fly", r"fo1_[A-Za-z0-9_-]{43}|fm[12][ar]?_[A-Za-z0-9+/]{100,}", "fo1_", "fm1", "fm2"),
    _token("secret.vault", r"hv[sbr]\.[A-Za-z0-9_-]{24,}", "hvs.", "hvb.", "hvr."),
    _token("secret.terraform", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}", ".atlasv1."),
    _token("secret.pulumi", r"pul-[a-f0-9]{40}", "pul-"),
    _token("secret.databricks", r"dapi[a-f0-9]{32}(?:-[0-9])?", "dapi"),
)  # fmt: skip

FORGES: Final = (
    _token("secret.github", r"gh[pousr]_[A-Za-z0-9]{36,}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    _token("secret.github", r"github_pat_[A-Za-z0-9_]{36,}", "github_pat_"),
    _token("secret.gitlab", r"(?:glpat|gldt|glrt|glrtr|glptt|glsoat|glft|glimt|glagent|glcbt|gloas|glffct)-[A-Za-z0-9_.=-]{20,}",
           "glpat-", "gldt-", "glrt-", "glrtr-", "glptt-", "glsoat-", "glft-", "glimt-", "glagent-", "glcbt-", "gloas-", "glffct-"),
    _token("secret.gitlab", r"GR1348941[A-Za-z0-9_-]{20}", "gr1348941"),
    _token("secret.atlassian", r"AT(?:ATT|CTT|BB)[A-Za-z0-9_=-]{24,}", "atatt", "atctt", "atbb"),
    _token("secret.npm", r"npm_[A-Za-z0-9]{36}", "npm_"),
    _token("secret.pypi", r"pypi-AgE[A-Za-z0-9_-]{50,}", "pypi-age"),
    _token("secret.rubygems", r"rubygems_[a-f0-9]{48}", "rubygems_"),
    _token("secret.crates", r"(?:^|[^A-Za-z0-9])cio[A-Za-z0-9]{32}(?:[^A-Za-z0-9]|$)", "cio"),
    _token("secret.nuget", r"(?:^|[^A-Za-z0-9])oy2[a-z0-9]{43}(?:[^A-Za-z0-9]|$)", "oy2"),
    _token("secret.docker", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}", "dckr_pat_", "dckr_oat_"),
    _token("secret.clojars", r"CLOJARS_[a-z0-9]{60}", "clojars_"),
)  # fmt: skip

MODELS: Final = (
    _token("secret.openai", r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,}", "sk-proj-", "sk-svcacct-", "sk-admin-", "sk-none-"),
    _token("secret.openai", r"sk-[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}", "t3blbkfj"),
    _token("secret.anthropic", r"sk-ant-[A-Za-z0-9]{2,10}-[A-Za-z0-9_-]{32,}", "sk-ant-"),
    _token("secret.openrouter", r"sk-or-v1-[a-f0-9]{64}", "sk-or-v1-"),
    Pattern("secret.model-api", ("sk-",), r"(?:^|[^A-Za-z0-9_-])(sk-(?:[a-f0-9]{32}|[A-Za-z0-9]{48}))(?:[^A-Za-z0-9_-]|$)", is_random),
    _token("secret.model-api", r"gsk_[A-Za-z0-9]{52}", "gsk_"),
    _token("secret.model-api", r"xai-[A-Za-z0-9]{80}", "xai-"),
    _token("secret.model-api", r"pplx-[A-Za-z0-9]{48}", "pplx-"),
    _token("secret.model-api", r"nvapi-[A-Za-z0-9_-]{60,}", "nvapi-"),
    _token("secret.model-api", r"(?:^|[^A-Za-z0-9])r8_[A-Za-z0-9]{37}(?:[^A-Za-z0-9]|$)", "r8_"),
    _token("secret.model-api", r"tgp_v1_[A-Za-z0-9_-]{43}", "tgp_v1_"),
    _token("secret.model-api", r"csk-[a-z0-9]{48}", "csk-"),
    _token("secret.huggingface", r"(?:^|[^A-Za-z0-9])hf_[A-Za-z0-9]{34}(?:[^A-Za-z0-9]|$)", "hf_"),
    _token("secret.huggingface", r"api_org_[A-Za-z]{34}", "api_org_"),
    _token("secret.langsmith", r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}", "lsv2_"),
)  # fmt: skip

SERVICES: Final = (
    _token("secret.slack", r"xox[abeoprs]-(?:[0-9A-Za-z]+-){1,4}[0-9A-Za-z]{8,}|xoxe\.xox[bp]-[0-9]-[A-Za-z0-9]{100,}", "xoxa-", "xoxb-", "xoxe", "xoxo-", "xoxp-", "xoxr-", "xoxs-"),
    _token("secret.slack", r"xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-f0-9]{32,}", "xapp-"),
    _token("secret.slack", r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,}", "hooks.slack.com"),
    _token("secret.discord", r"discord(?:app)?\.com/api/webhooks/[0-9]{16,20}/[A-Za-z0-9_-]{60,}", "/api/webhooks/"),
    _token("secret.telegram", r"(?:^|[^0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?:[^A-Za-z0-9_-]|$)", ":aa"),
    _token("secret.stripe", r"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{16,}", "k_live_", "k_test_", "k_prod_"),
    _token("secret.stripe", r"whsec_[A-Za-z0-9+/=]{32,}", "whsec_"),
    _token("secret.square", r"sq0(?:atp|csp)-[0-9A-Za-z_-]{22,43}", "sq0atp-", "sq0csp-"),
    _token("secret.paypal", r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}", "access_token$"),
    _token("secret.shopify", r"shp(?:at|ca|pa|ss|ua)_[a-fA-F0-9]{32}", "shpat_", "shpca_", "shppa_", "shpss_", "shpua_"),
    _token("secret.twilio", r"(?:^|[^A-Za-z0-9])SK[0-9a-f]{32}(?:[^A-Za-z0-9]|$)", *("sk" + digit for digit in "0123456789abcdef")),
    _token("secret.sendgrid", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}", "sg."),
    _token("secret.mailgun", r"(?:^|[^A-Za-z0-9])key-[0-9a-f]{32}(?:[^A-Za-z0-9]|$)", "key-"),
    _token("secret.mailchimp", r"(?:^|[^A-Za-z0-9])[0-9a-f]{32}-us[0-9]{1,2}(?:[^A-Za-z0-9]|$)", "-us"),
    _token("secret.resend", r"(?:^|[^A-Za-z0-9])re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}(?:[^A-Za-z0-9]|$)", "re_"),
    _token("secret.linear", r"lin_api_[A-Za-z0-9]{40}", "lin_api_"),
    _token("secret.notion", r"ntn_[A-Za-z0-9]{40,50}", "ntn_"),
    _token("secret.figma", r"figd_[A-Za-z0-9_-]{40,}", "figd_"),
    _token("secret.newrelic", r"NRAK-[A-Z0-9]{27}", "nrak-"),
    _token("secret.grafana", r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9+/]{32,}={0,2}", "glsa_", "glc_"),
    _token("secret.sentry", r"sntr(?:yu_[a-f0-9]{64}|ys_eyJ[A-Za-z0-9+/=_-]{40,})", "sntryu_", "sntrys_"),
    _token("secret.planetscale", r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9=._-]{32,}", "pscale_"),
    _token("secret.supabase", r"sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{22,}", "sbp_", "sb_secret_"),
    _token("secret.doppler", r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}", "dp."),
    _token("secret.1password", r"ops_eyJ[A-Za-z0-9+/=]{100,}", "ops_eyj"),
    _token("secret.1password", r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}", "a3-"),
    _token("secret.tailscale", r"tskey-[a-z]+-[A-Za-z0-9]{6,}-?[A-Za-z0-9]*", "tskey-"),
    _token("secret.postman", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", "pmak-"),
    _token("secret.airtable", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}", "pat"),
    _token("secret.mapbox", r"sk\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}", "sk.eyj"),
    _token("secret.buildkite", r"bkua_[a-z0-9]{40}", "bkua_"),
    _token("secret.dynatrace", r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}", "dt0"),
)  # fmt: skip

GENERAL: Final = (
    Pattern("secret.jwt", ("eyj",), r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}", is_jwt),
    Pattern("secret.connection-string", ("://",), r"[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s:/@'\"<>]{0,128}:([^\s/@'\"<>]{3,256})@[A-Za-z0-9\[_.-]", is_literal_password),
    Pattern("secret.connection-string", ("password=", "pwd=", "password =", "pwd ="),
            r"(?i)(?:server|data source|host|addr(?:ess)?)\s*=[^;\n]{1,200};[^\n]{0,400}?(?:password|pwd)\s*=\s*([^;\s'\"]{3,128})", is_literal_password),
    Pattern("secret.authorization", ("authorization", "x-api-key", "api-key"),
            r"(?i)(?:authorization['\"]?\s*[:=]\s*['\"]?(?:basic|bearer|token)\s+|x?-?api-key['\"]?\s*[:=]\s*['\"]?)([a-z0-9+/=_.-]{20,512})", is_random),
    Pattern("secret.assigned", ("key", "secret", "token", "passw", "pwd", "credential"),
            r"(?i)(?:api_?-?key|secret|token|passwo?r?d|passwd|pwd|credential)[a-z0-9_.-]{0,24}['\"]?\s{0,4}(?::=|=>|:|=)\s{0,4}[`'\"]?([a-z0-9+/=_~.!@#%^&*-]{16,128})(?:[`'\"\s,;)\\]|$)", is_random),
)  # fmt: skip

PATTERNS: Final[tuple[Pattern, ...]] = (*PRIVATE_KEYS, *CLOUDS, *FORGES, *MODELS, *SERVICES, *GENERAL)
"""Every format that is found by its shape."""
