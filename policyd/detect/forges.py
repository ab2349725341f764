"""The table of credentials of code hosts, package registries, build and test services, and what watches running code."""

from typing import Final

from policyd.detect.checks import entropy, is_mixed, is_random
from policyd.detect.pattern import Pattern, alone, token

__all__ = ["FORGES"]

NUGET_EXAMPLES: Final = (b"33f!!lloppa", b"hal+9ooo_da!sY")


def is_clear_password(text: bytes, start: int, end: int) -> bool:
    """A password in a configuration of NuGet: neither a variable of the environment nor one of Microsoft's examples."""
    value = text[start:end]
    return not (value[:1] == value[-1:] == b"%") and value not in NUGET_EXAMPLES and entropy(value) >= 1


GITLAB: Final = (
    "glpat-",
    "gldt-",
    "glrt-",
    "glrtr-",
    "glptt-",
    "glsoat-",
    "glft-",
    "glimt-",
    "glagent-",
    "glcbt-",
    "gloas-",
    "glffct-",
    "glwt-",
)

FORGES: Final = (
    token("secret.github", r"gh[pousr]_[A-Za-z0-9]{36,}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    token("secret.github", r"github_pat_[A-Za-z0-9_]{36,}", "github_pat_"),
    token("secret.gitlab", r"gl(?:pat|dt|rt|rtr|ptt|soat|ft|imt|agent|cbt|oas|ffct|wt)-[A-Za-z0-9_.=-]{20,}", *GITLAB),
    token("secret.gitlab", r"GR1348941[A-Za-z0-9_-]{20}", "GR1348941"),
    Pattern("secret.gitlab", ("_gitlab_session=",), r"_gitlab_session=([0-9a-z]{32})", is_random),
    token("secret.atlassian", r"AT(?:ATT3|CTT3|STT3)[A-Za-z0-9_=-]{24,}", "ATATT3", "ATCTT3", "ATSTT3"),
    Pattern("secret.atlassian", (), r"(?:^|[^A-Za-z0-9+/=])(ATBB[A-Za-z0-9]{32})(?:[^A-Za-z0-9]|$)", is_random, ("ATBB",)),
    token("secret.sourcegraph", r"sgp_(?:(?:[a-fA-F0-9]{16}|local)_)?[a-fA-F0-9]{40}", "sgp_", check=is_mixed),
    token("secret.npm", r"npm_[A-Za-z0-9]{36}", "npm_"),
    Pattern("secret.npm", ("_authtoken", "_password", "_auth"), r"//[^\s:]{3,200}:_(?:authToken|password|auth)\s*=\s*['\"]?([A-Za-z0-9+/=._-]{12,512})", is_random),
    token("secret.pypi", r"pypi-AgE[A-Za-z0-9_-]{50,}", "pypi-AgE"),
    token("secret.rubygems", r"rubygems_[a-f0-9]{48}", "rubygems_"),
    alone("secret.crates", r"cio[A-Za-z0-9]{32}", "cio", check=is_random),
    alone("secret.nuget", r"oy2[a-z0-9]{43}", "oy2"),
    Pattern("secret.nuget", ("cleartextpassword", 'key="password"'), r"(?i)<add\s+key=\"(?:ClearText)?Password\"\s*value=\"([^\"\r\n]{8,256})\"", is_clear_password),
    token("secret.docker", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}", "dckr_pat_", "dckr_oat_"),
    token("secret.clojars", r"CLOJARS_[a-z0-9]{60}", "CLOJARS_"),
    alone("secret.artifactory", r"AKCp[A-Za-z0-9]{69}|cmVmd[A-Za-z0-9]{59}", "AKCp", "cmVmd"),
    token("secret.octopus-deploy", r"(?:^|[^A-Za-z0-9_-])API-[A-Z0-9]{25,26}(?:[^A-Za-z0-9]|$)", "API-"),
    token("secret.circleci", r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}", "CCIPAT_", "CCIPRJ_"),
    token("secret.buildkite", r"bk(?:ua|pat|ct)_[a-z0-9]{32,40}", "bkua_", "bkpat_", "bkct_"),
    token("secret.harness", r"(?:pat|sat)\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}", "pat.", "sat."),
    token("secret.sonar", r"sq[upa]_[A-Za-z0-9]{40}", "squ_", "sqp_", "sqa_"),
    token("secret.snyk", r"snyk_(?:uat|sat)\.[a-z0-9]{8}\.[A-Za-z0-9._-]{20,}", "snyk_uat.", "snyk_sat."),
    token("secret.semgrep", r"semgrep_[a-f0-9]{64}", "semgrep_"),
    Pattern("secret.launchdarkly", ("launchdarkly", "ldclient", "ld_sdk"), r"(?:^|[^A-Za-z0-9])((?:api|sdk|mob)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", is_random),
    token("secret.prefect", r"pn[ub]_[A-Za-z0-9]{36}", "pnu_", "pnb_"),
    Pattern("secret.infracost", (), r"(?:^|[^A-Za-z0-9.])(ico-[A-Za-z0-9]{32})(?:[^A-Za-z0-9.]|$)", is_random, ("ico-",)),
    token("secret.readme", r"rdme_[a-z0-9]{70}", "rdme_"),
    token("secret.postman", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", "PMAK-"),
    token("secret.newrelic", r"NRAK-[A-Z0-9]{27}|NRJS-[a-f0-9]{19}|NRI[IQ]-[A-Za-z0-9_-]{32}|[a-f0-9]{36}NRAL", "NRAK-", "NRJS-", "NRII-", "NRIQ-", "NRAL"),
    token("secret.grafana", r"glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}|glc_[A-Za-z0-9+/]{32,}={0,2}", "glsa_", "glc_"),
    token("secret.grafana", r"eyJrIjoi[A-Za-z0-9]{60,400}={0,2}", "eyJrIjoi"),
    token("secret.sentry", r"sntr(?:yu_[a-f0-9]{64}|ys_eyJ[A-Za-z0-9+/=_-]{40,})", "sntryu_", "sntrys_"),
    token("secret.dynatrace", r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}", "dt0"),
    token("secret.logfire", r"pylf_v[0-9]_[a-z]{2}_[A-Za-z0-9]{30,}", "pylf_v"),
    token("secret.datadog", r"ddp_[A-Za-z0-9]{34,}", "ddp_"),
    token("secret.doppler", r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}", "dp."),
    token("secret.infisical", r"st\.[a-f0-9]{24}\.[a-f0-9]{32}\.[a-f0-9]{32}", "st."),
    token("secret.1password", r"ops_eyJ[A-Za-z0-9+/]{100,}={0,3}", "ops_eyJ"),
    token("secret.1password", r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}", "A3-"),
    token("secret.sidekiq", r"(?i)BUNDLE_(?:ENTERPRISE|GEMS)__CONTRIBSYS__COM['\"]?\s*[:=]\s*['\"]?[a-f0-9]{8}:[a-f0-9]{8}", "BUNDLE_ENTERPRISE__CONTRIBSYS__COM", "BUNDLE_GEMS__CONTRIBSYS__COM", check=None),
    token("secret.postman", r"postman_(?:api|collection)_key_[A-Za-z0-9_-]{40,}", "postman_api_key_", "postman_collection_key_"),
    alone("secret.jfrog", r"eyJ2ZXIiOiIyIiwidHlwIjoiSldU[A-Za-z0-9_.-]{40,}", "eyJ2ZXIiOiIyIiwidHlwIjoiSldU"),
)  # fmt: skip
