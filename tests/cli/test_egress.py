"""`policyd egress`: the same places in every format, and formats that their readers accept."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from policyd.cli.main import main
from tests.deploy.test_egress import TEXT

POLICY = """\
edition 1
target rack { location on_prem context 32k speaks chat }
target literal { location on_prem context 32k speaks chat }
target here { location on_prem context 32k speaks chat }
target also_here { location on_prem context 32k speaks chat }
target socket { location on_prem context 32k speaks chat }
target cloud { location cloud context 32k speaks messages }
target cloud_again { location cloud context 32k speaks messages }
target six { location cloud context 32k speaks chat }
route all to rack, literal, here, also_here, socket, cloud, cloud_again, six
otherwise reject "no"
"""
BOUND = (
    TEXT.replace('url = "http://10.1.0.7:8000"', 'url = "http://10.1.0.7:8000"\nplaintext_because = "a test"')
    .replace('url = "https://gpu.internal:8443"', f'url = "https://gpu.internal:8443"\ntls = {{ pin_sha256 = "{"a" * 64}" }}')
    .replace('policy = "x"', 'policy = "main.policy"')
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "main.policy").write_text(POLICY)
    (tmp_path / "policyd.toml").write_text(BOUND)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["egress", "policyd.toml", *arguments]) == code
    return capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys).splitlines()
    assert lines[0] == "10.1.0.7:8000  10.1.0.0/16  (target literal)"
    assert "api.example:443  internet, 10.8.0.0/24  (target cloud, target cloud_again)" in lines
    assert "unix:/run/model.sock  this machine  (target socket)" in lines
    assert lines[-1].startswith("DNS  4 names")


def test_one_name_is_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "edition 1\ntarget a { location cloud context 32k speaks chat }\n"
    (folder / "main.policy").write_text(text + 'route all to a\notherwise reject "no"\n')
    (folder / "policyd.toml").write_text(
        'policy = "main.policy"\n[identity]\nkind = "loopback"\n'
        '[targets.a]\nurl = "https://api.example"\ndialects = ["openai"]\n'
    )
    assert said(capsys).splitlines()[-1] == "DNS  1 name is resolved at every connect: api.example"


@pytest.mark.usefixtures("folder")
def test_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "--format", "json"))
    assert found["format"] == 1
    assert {(e["host"], e["port"]) for e in found["exits"]} >= {
        ("api.example", 443),
        ("10.1.0.7", 8000),
        ("login.example", 443),
    }
    assert found["sockets"] == [{"path": "/run/model.sock", "used_for": ["target socket"]}]
    assert "gpu.internal" in found["resolves"]


def rules(policy: dict[str, Any]) -> dict[int, set[str]]:
    """The networks that each TCP port is open to."""
    out: dict[int, set[str]] = {}
    for rule in policy["spec"]["egress"]:
        for port in rule["ports"]:
            if port["protocol"] == "TCP":
                out.setdefault(port["port"], set()).update(
                    peer["ipBlock"]["cidr"] for peer in rule["to"] if "ipBlock" in peer
                )
    return out


@pytest.mark.usefixtures("folder")
def test_for_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(
        capsys,
        "--format",
        "networkpolicy",
        "--label",
        "app.kubernetes.io/name=gate",
        "--name",
        "out",
        "--namespace",
        "llm",
    )
    policy = yaml.safe_load(text)
    assert policy["metadata"] == {"name": "out", "namespace": "llm"}
    assert policy["spec"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "gate"}}
    assert policy["spec"]["policyTypes"] == ["Egress"]
    assert rules(policy) == {
        8000: {"10.1.0.7/32"},
        8443: {"10.1.0.0/16", "0.0.0.0/0", "::/0"},
        443: {"2606:2800:220:1::1/128", "10.8.0.0/24", "0.0.0.0/0", "::/0"},
        4318: {"0.0.0.0/0", "::/0"},
        53: set(),
    }
    for rule in policy["spec"]["egress"]:
        for peer in rule["to"]:
            if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                assert "169.254.0.0/16" in peer["ipBlock"]["except"], "never the metadata service"
    assert "knows no names" in text


@pytest.mark.usefixtures("folder")
def test_for_a_cluster_that_knows_names(capsys: pytest.CaptureFixture[str]) -> None:
    policy = yaml.safe_load(said(capsys, "--format", "cilium"))
    names = {one["matchName"] for rule in policy["spec"]["egress"] for one in rule.get("toFQDNs", ())}
    assert names == {"api.example", "login.example", "otel.internal"}
    assert not any("0.0.0.0/0" in rule.get("toCIDR", ()) for rule in policy["spec"]["egress"])
    (dns,) = [rule for rule in policy["spec"]["egress"] if "toEndpoints" in rule]
    asked = {one["matchName"] for one in dns["toPorts"][0]["rules"]["dns"]}
    assert asked == names | {"gpu.internal"}


@pytest.mark.usefixtures("folder")
def test_for_a_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    script = said(capsys, "--format", "iptables", "--uid", "1234")
    shell = shutil.which("sh")
    assert shell is not None
    assert subprocess.run([shell, "-n"], input=script, text=True, check=False).returncode == 0
    assert "uid=1234" in script
    assert re.search(r"^iptables .* -d 10\.1\.0\.7/32 -p tcp --dport 8000 -j RETURN$", script, re.MULTILINE)
    for command in ("iptables", "ip6tables"):
        lines = [line for line in script.splitlines() if line.startswith(f"{command} ")]
        assert lines[-2:] == [
            f"{command} -w 5 -A POLICYD_EGRESS -j REJECT",
            f"{command} -w 5 -I OUTPUT 1 -j POLICYD_EGRESS",
        ]
        owner = next(i for i, line in enumerate(lines) if "--uid-owner" in line)
        assert not [line for line in lines[:owner] if "--dport" in line], (
            "who is nobody is turned away before any port opens"
        )


def test_only_this_machine_is_nowhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "main.policy").write_text(
        'edition 1\ntarget here { location on_prem context 32k speaks chat }\nroute all to here\notherwise reject "no"\n'
    )
    (folder / "policyd.toml").write_text(
        'policy = "main.policy"\n[identity]\nkind = "loopback"\n[targets.here]\nurl = "http://127.0.0.1:1"\ndialects = ["openai"]\n'
    )
    policy = yaml.safe_load(said(capsys, "--format", "networkpolicy"))
    assert policy["spec"]["egress"] == []
    assert yaml.safe_load(said(capsys, "--format", "cilium"))["spec"]["egress"] == []
    assert "--dport" not in said(capsys, "--format", "iptables")


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ('kind = "jwt"', 'kind = "jot"', 1),
        ("https://api.example/other", "http://api.example/other", 1),
        ('policy = "main.policy"', 'policy = "absent.policy"', 2),
    ],
)
def test_a_deployment_with_mistakes_gets_no_list(
    folder: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, code: int
) -> None:
    (folder / "policyd.toml").write_text(BOUND.replace(before, after))
    shown = said(capsys, "--format", "json", code=code)
    assert '"exits"' not in shown


@pytest.mark.parametrize("wrong", [["--label", "app"], ["--label", "a b=c"], ["--uid", "0"], ["--uid", "x"], ["--name", "A"], ["--format", "xml"]], ids=str)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_what_is_asked_for_has_to_be_possible(wrong: list[str]) -> None:
    assert main(["egress", "policyd.toml", *wrong]) == 2
