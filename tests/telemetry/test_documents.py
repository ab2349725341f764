"""The tables of the documentation, the dashboard and the alerts speak of what there is, and of nothing else."""

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import policyd
from policyd.proxy.telemetry.instruments import INSTRUMENTS, Instrument
from policyd.proxy.telemetry.prometheus import page
from policyd.proxy.telemetry.series import Family, Spread
from policyd.proxy.telemetry.spans import ATTRIBUTES

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples" / "telemetry"
DASHBOARD: Final[dict[str, Any]] = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())
ALERTS: Final = [
    rule
    for group in yaml.safe_load((EXAMPLES / "prometheus-alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]

OF_PROMQL: Final = frozenset(
    {"sum", "rate", "by", "histogram_quantile", "or", "and", "vector", "max", "count", "increase", "offset", "unless", "without", "on"}
)  # fmt: skip
OF_SCRAPING: Final = {"up": {"instance", "job"}}
"""What Prometheus adds by itself."""


def expressions() -> list[str]:
    panels = [t["expr"] for p in DASHBOARD["panels"] for t in p.get("targets", ())]
    return [*panels, *(rule["expr"] for rule in ALERTS)]


def printed() -> dict[str, set[str]]:
    """The labels of every sample that `/metrics` can print, by its name."""

    def one(instrument: Instrument) -> Family:
        number = Spread((1,) * (len(instrument.buckets) + 1), 1.0) if instrument.buckets else 1.0
        return Family(instrument, (((("x",) * len(instrument.labels)), number),))

    text, _ = page([one(i) for i in INSTRUMENTS], "")
    families = text_string_to_metric_families(text.decode())
    return {s.name: set(s.labels) for f in families for s in f.samples}


def parsed(expression: str) -> tuple[set[str], set[tuple[str, str]], set[str]]:
    """Names of metrics, labels that are asked of each, and labels that results are grouped by."""
    grouped: set[str] = set()
    for names in re.findall(r"\bby\s*\(([^)]*)\)", expression):
        grouped |= {name.strip() for name in names.split(",")}
    rest = re.sub(r"\bby\s*\([^)]*\)", "", expression)
    rest = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", "", rest)
    asked: set[tuple[str, str]] = set()
    for name, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", rest):
        asked |= {(name, label) for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)}
    words = set(re.findall(r"[a-zA-Z_:][\w:]*", re.sub(r"\{[^}]*\}|\"[^\"]*\"", "", rest)))
    return words - OF_PROMQL, asked, grouped


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_asks_for_metrics_and_labels_that_there_are(expression: str) -> None:
    known = {name: labels | {"instance", "job"} for name, labels in printed().items()} | OF_SCRAPING
    names, asked, grouped = parsed(expression)
    assert names and names <= known.keys()
    assert {label for _, label in asked if label not in known[_]} == set()
    assert grouped <= set().union(*(known[name] for name in names))


def test_a_name_that_is_not_there_would_be_noticed() -> None:
    names, asked, grouped = parsed(
        'sum by (le, a) (rate(policyd_nothing_bucket{x="1", y=~"b"}[5m])) > 1 or vector(0)'
    )
    assert (names, grouped) == ({"policyd_nothing_bucket"}, {"le", "a"})
    assert asked == {("policyd_nothing_bucket", "x"), ("policyd_nothing_bucket", "y")}


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    shown = set().union(*(parsed(e)[0] for e in expressions()))
    stems = {re.sub(r"_(?:bucket|sum|count|total)$", "", name) for name in shown}
    left = {i.prometheus for i in INSTRUMENTS} - stems
    assert left == {
        "policyd_request_duration_seconds",
        "policyd_policy_loaded_timestamp_seconds",
        "policyd_draining",
    }


def test_the_dashboard_is_whole() -> None:
    panels = DASHBOARD["panels"]
    ids = [p["id"] for p in panels]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for p in panels:
        grid = p["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken and grid["x"] + grid["w"] <= 24
        taken |= cells
        for target in p.get("targets", ()):
            assert target["datasource"] == p["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    variables = {v["name"] for v in DASHBOARD["templating"]["list"]} | {"__rate_interval"}
    used = set(re.findall(r"\$\{?(\w+)", " ".join(t["expr"] for p in panels for t in p.get("targets", ()))))
    assert used <= variables


def test_an_alert_says_what_it_means_and_which_one_it_is() -> None:
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)
    known = printed() | OF_SCRAPING
    for rule in ALERTS:
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        names, _, grouped = parsed(rule["expr"])
        there = grouped or set().union(*(known[name] for name in names)) | {"instance", "job"}
        for label in re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])):
            assert label in there, f"{rule['alert']} has no label {label}"


def test_the_alert_on_failures_looks_at_errors_that_were_passed_on() -> None:
    (rule,) = [rule for rule in ALERTS if rule["alert"] == "PolicydUpstreamFailures"]
    (wanted,) = re.findall(r'policyd_outcome=~"([^"]*)"', rule["expr"])
    assert re.fullmatch(wanted, "upstream_error") and not re.fullmatch(wanted, "answered")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize(
    "command", [["rules", "prometheus-alerts.yml"], ["config", "prometheus.yml"]], ids=lambda c: c[0]
)
def test_prometheus_itself_accepts_it(command: list[str]) -> None:
    found = subprocess.run(
        ["promtool", "check", *command], cwd=EXAMPLES, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_page_of_metrics_passes_prometheus_own_lint() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    families = [
        Family(
            i, (((("x",) * len(i.labels)), Spread((1,) * (len(i.buckets) + 1), 1.0) if i.buckets else 1.0),)
        )
        for i in INSTRUMENTS
    ]
    text, _ = page(families, "")
    found = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def table_of_metrics() -> str:
    rows = ["| metric | kind | unit | labels | |", "|---|---|---|---|---|"]
    for i in INSTRUMENTS:
        labels = ", ".join(f"`{label}`" for label in i.labels)
        rows.append(f"| `{i.name}` | {i.kind} | `{i.unit}` | {labels} | {i.meaning} |")
    return "\n".join(rows) + "\n"


def table_of_attributes() -> str:
    rows = ["| attribute | on | |", "|---|---|---|"]
    where = {"request": "the request", "attempt": "an attempt", "both": "both"}
    rows += [f"| `{name}` | {where[on]} | {meaning} |" for name, (on, meaning) in ATTRIBUTES.items()]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(("mark", "table"), [("metrics", table_of_metrics()), ("attributes", table_of_attributes())], ids=["metrics", "attributes"])  # fmt: skip
def test_the_document_shows_these_tables(mark: str, table: str) -> None:
    document = (ROOT / "docs" / "telemetry.md").read_text()
    between = document.partition(f"<!-- {mark} -->\n")[2].partition("<!-- end -->")[0]
    assert between == table, "paste this between the marks:\n" + table


def test_no_attribute_is_told_that_the_table_does_not_have() -> None:
    tree = ast.parse((Path(policyd.__file__).parent / "proxy" / "telemetry" / "spans.py").read_text())
    dotted = re.compile(r"(?:gen_ai|server|error|http|policyd)\.[a-z_.]+")
    written = {
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and dotted.fullmatch(n.value)
    }
    assert {w for w in written if w != "gen_ai.usage."} <= ATTRIBUTES.keys()
