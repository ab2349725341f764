"""The table of keys of services that run models."""

from typing import Final

from policyd.detect.checks import is_random, is_varied
from policyd.detect.pattern import Pattern, alone, token

__all__ = ["MODELS"]

MODELS: Final = (
    token("secret.openai", r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,}", "sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"),
    token("secret.openai", r"sk-[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}", "T3BlbkFJ"),
    token("secret.anthropic", r"sk-ant-(?:api|admin)[0-9]{2}-[A-Za-z0-9_-]{93}AA", "sk-ant-api", "sk-ant-admin"),
    token("secret.anthropic", r"sk-ant-(?:oat|ort|sid)[0-9]{2}-[A-Za-z0-9_-]{40,}", "sk-ant-oat", "sk-ant-ort", "sk-ant-sid"),
    token("secret.openrouter", r"sk-or-v1-[a-f0-9]{64}", "sk-or-v1-"),
    Pattern("secret.model-api", (), r"(?:^|[^A-Za-z0-9_-])(sk-(?:[a-f0-9]{32}|[A-Za-z0-9]{48}))(?:[^A-Za-z0-9_-]|$)", is_random, ("sk-",)),
    token("secret.model-api", r"gsk_[A-Za-z0-9]{52}", "gsk_"),
    token("secret.model-api", r"xai-[A-Za-z0-9]{80}", "xai-"),
    token("secret.model-api", r"pplx-[A-Za-z0-9]{48}", "pplx-"),
    token("secret.model-api", r"nvapi-[A-Za-z0-9_-]{60,}", "nvapi-"),
    alone("secret.model-api", r"r8_[A-Za-z0-9]{37}", "r8_"),
    token("secret.model-api", r"tgp_v1_[A-Za-z0-9_-]{43}", "tgp_v1_"),
    token("secret.model-api", r"csk-[a-z0-9]{48}", "csk-"),
    alone("secret.model-api", r"fw_[A-Za-z0-9]{22,24}", "fw_", check=is_random),
    alone("secret.model-api", r"jina_[a-f0-9]{32}[A-Za-z0-9_-]{28}|pa-[A-Za-z0-9_-]{43}|tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}|fc-[a-f0-9]{32}", "jina_", "pa-", "tvly-", "fc-", check=is_random),
    token("secret.model-api", r"sk_[a-f0-9]{48}", "sk_"),
    token("secret.model-api", r"apify_api_[A-Za-z0-9]{36}|pcsk_[A-Za-z0-9_]{60,}|wandb_v1_[A-Za-z0-9_]{60,}", "apify_api_", "pcsk_", "wandb_v1_"),
    Pattern("secret.model-api", ("modelscope",), r"(?:^|[^A-Za-z0-9])(ms-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", is_varied),
    alone("secret.huggingface", r"hf_[A-Za-z0-9]{34}", "hf_"),
    token("secret.huggingface", r"api_org_[A-Za-z]{34}", "api_org_"),
    token("secret.langsmith", r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}|ls__[a-f0-9]{32}", "lsv2_", "ls__"),
    token("secret.langfuse", r"sk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "sk-lf-"),
    token("secret.private-ai", r"pai_[A-Za-z0-9]{32,}", "pai_", check=is_random),
)  # fmt: skip
