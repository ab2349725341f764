"""The examples for Kubernetes: objects that a cluster takes, deployments that policyd takes, and rules that hold in a real kernel."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from policyd.cli.main import main
from policyd.deploy.bindings import check_bindings
from policyd.deploy.read import read_deployment
from policyd.resolve.load import load
from policyd.text.diagnostic import Severity
from tests.deploy.tokens import Authority, jwk, key_set, rsa_key

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples" / "kubernetes"
FORMS: Final = ("sidecar", "gateway")
OBJECTS: Final = sorted(p for p in EXAMPLES.rglob("*.yaml") if p.name != "kustomization.yaml")


def documents(path: Path) -> list[dict[str, Any]]:
    return [found for found in yaml.safe_load_all(path.read_text()) if found is not None]


def pod_of(path: Path, name: str) -> dict[str, Any]:
    (found,) = [d for d in documents(path) if d["kind"] == "Deployment" and d["metadata"]["name"] == name]
    spec = found["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


@pytest.mark.parametrize("path", OBJECTS, ids=lambda p: p.relative_to(EXAMPLES).as_posix())
def test_a_cluster_takes_every_object(path: Path) -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="the schemas of Kubernetes are not installed"
    )
    for document in documents(path):
        validate.validate(document, "1.33", strict=True)


@pytest.mark.parametrize("form", FORMS)
def test_kustomize_takes_every_folder(form: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(
        [kubectl, "kustomize", EXAMPLES / form], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = [d for d in yaml.safe_load_all(done.stdout) if d]
    (config,) = [d for d in made if d["kind"] == "ConfigMap" and d["metadata"]["name"] == "policyd"]
    assert config["data"] == {
        name: (EXAMPLES / form / name).read_text() for name in ("policyd.toml", "main.policy")
    }


@pytest.mark.parametrize("form", FORMS)
def test_every_file_that_is_named_is_there(form: str) -> None:
    (kustomization,) = documents(EXAMPLES / form / "kustomization.yaml")
    named = {
        *kustomization["resources"],
        *(f for c in kustomization["configMapGenerator"] for f in c["files"]),
        "kustomization.yaml",
    }
    assert named == {p.name for p in (EXAMPLES / form).iterdir()}


@pytest.mark.parametrize("form", FORMS)
def test_policyd_takes_every_deployment(form: str, tmp_path: Path) -> None:
    """With the files that its pod would have."""
    certificate, key = Authority().leaf(dns=("policyd.llm.svc",))
    for name, text in (
        ("tls.crt", certificate),
        ("tls.key", key),
        ("keys.json", key_set(jwk(rsa_key(), "k"))),
    ):
        (tmp_path / name).write_text(text)
    text = (EXAMPLES / form / "policyd.toml").read_text()
    text = text.replace("/etc/policyd-tls/", f"{tmp_path}/").replace("/etc/policyd-keys/", f"{tmp_path}/")
    (tmp_path / "policyd.toml").write_text(text)
    shutil.copy(EXAMPLES / form / "main.policy", tmp_path)
    read = read_deployment(tmp_path / "policyd.toml", {"ANTHROPIC_API_KEY": "sk-1"})
    assert read.deployment is not None, [d.message for d in read.diagnostics]
    loaded = load(tmp_path / "main.policy")
    assert loaded.program is not None
    found = (*read.diagnostics, *check_bindings(loaded.program, read.deployment, read.author))
    assert [d.message for d in found if d.severity is not Severity.NOTE] == []


@pytest.mark.parametrize("form", FORMS)
def test_where_the_files_are_not_it_can_be_checked_all_the_same(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = EXAMPLES / form / "policyd.toml"
    assert main(["check", str(EXAMPLES / form / "main.policy"), "--deployment", str(deployment)]) == 0
    assert "proved confidential_stays_home" in capsys.readouterr().out


def mounts(container: dict[str, Any]) -> dict[str, str]:
    return {m["mountPath"]: m["name"] for m in container.get("volumeMounts", ())}


@pytest.mark.parametrize(("form", "file"), [("sidecar", "app.yaml"), ("gateway", "policyd.yaml")])
def test_what_the_deployment_names_is_mounted(form: str, file: str) -> None:
    pod = pod_of(EXAMPLES / form / file, "search" if form == "sidecar" else "policyd")
    (policyd,) = [c for c in (*pod.get("initContainers", ()), *pod["containers"]) if c["name"] == "policyd"]
    assert policyd["args"] == ["serve", "/etc/policyd/policyd.toml"]
    text = (EXAMPLES / form / "policyd.toml").read_text()
    for path in ("/etc/policyd-tls", "/etc/policyd-keys"):
        assert (path in text) is (path in mounts(policyd))
    volumes = {v["name"] for v in pod["volumes"]}
    assert set(mounts(policyd).values()) <= volumes
    assert all(m["readOnly"] for m in policyd["volumeMounts"])
    ports = {p["containerPort"] for p in policyd["ports"]}
    assert "port = 8485" in text
    assert 8485 in ports


def test_in_the_application_s_pod_only_policyd_is_let_out() -> None:
    pod = pod_of(EXAMPLES / "sidecar" / "app.yaml", "search")
    lock, policyd = pod["initContainers"]
    script = (EXAMPLES / "sidecar" / "lock.sh").read_text()
    assert (lock["name"], policyd["name"], policyd["restartPolicy"]) == ("lock", "policyd", "Always")
    assert "restartPolicy" not in lock, "it runs to its end before anything else starts"
    assert f"uid={policyd['securityContext']['runAsUser']}\n" in script
    assert not pod["hostNetwork"]
    for container in (policyd, *pod["containers"]):
        rights = container["securityContext"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["runAsNonRoot"] is True
        assert "privileged" not in rights
    users = [c["securityContext"]["runAsUser"] for c in pod["containers"]]
    assert policyd["securityContext"]["runAsUser"] not in users


def test_the_namespace_of_callers_leads_to_policyd_alone() -> None:
    (policy,) = [d for d in documents(EXAMPLES / "gateway" / "callers.yaml") if d["kind"] == "NetworkPolicy"]
    assert policy["spec"]["podSelector"] == {}
    assert policy["spec"]["policyTypes"] == ["Egress"]
    assert all("ipBlock" not in peer for rule in policy["spec"]["egress"] for peer in rule["to"])
    (ingress,) = [d for d in documents(EXAMPLES / "gateway" / "policyd.yaml") if d["kind"] == "NetworkPolicy"]
    assert [port["port"] for rule in ingress["spec"]["ingress"] for port in rule["ports"]] == [8484]


@pytest.mark.parametrize(
    ("form", "file", "arguments"),
    [
        ("sidecar", "lock.sh", ["--format", "iptables", "--uid", "65532"]),
        ("gateway", "egress.yaml", ["--format", "networkpolicy", "--namespace", "llm"]),
    ],
)
def test_the_rules_are_what_the_command_writes(
    form: str, file: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["egress", str(EXAMPLES / form / "policyd.toml"), *arguments]) == 0
    assert capsys.readouterr().out == (EXAMPLES / form / file).read_text(), f"write {file} again"


NEEDED: Final = ("unshare", "ip", "iptables", "ip6tables")


@pytest.fixture
def network() -> Iterator[None]:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if (
        os.geteuid() != 0
        or subprocess.run(["unshare", "-n", "iptables", "-S"], capture_output=True, check=False).returncode
    ):
        pytest.skip("network namespaces and netfilter need root and a kernel that has them")
    yield


@pytest.mark.usefixtures("network")
def test_in_a_real_kernel_only_policyd_leaves(tmp_path: Path) -> None:
    """Two network namespaces: one is the pod, the other the world. The script that `policyd egress` writes runs in the pod."""
    (tmp_path / "main.policy").write_text(
        "edition 1\ntarget rack { location on_prem context 32k speaks chat }\ntarget cloud { location cloud context 32k speaks chat }\n"
        'route all to rack, cloud\notherwise reject "no"\n'
    )
    (tmp_path / "policyd.toml").write_text(
        'policy = "main.policy"\non_prem_networks = ["10.99.0.0/24"]\n[identity]\nkind = "loopback"\n'
        '[targets.rack]\nurl = "http://10.99.0.2:8000"\nplaintext_because = "a test"\ndialects = ["openai"]\n'
        '[targets.cloud]\nurl = "https://api.example"\ndialects = ["openai"]\n'
    )
    command = [
        sys.executable,
        "-m",
        "policyd",
        "egress",
        tmp_path / "policyd.toml",
        "--format",
        "iptables",
        "--uid",
        "65532",
    ]
    script = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    (tmp_path / "lock.sh").write_text(script)
    done = subprocess.run(
        ["unshare", "-n", sys.executable, Path(__file__).with_name("pod_and_world.py"), tmp_path / "lock.sh"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["before"] == {"app to the internet": True, "policyd to the internet": True}
    assert said["after"] == {
        "policyd to the internet": True,
        "policyd to the internet on another port": False,
        "policyd to the rack": True,
        "policyd to the rack on another port": False,
        "policyd to a private address": False,
        "policyd to the metadata service": False,
        "app to the internet": False,
        "app to the rack": False,
        "app to a private address": False,
        "root to the internet": False,
        "app to policyd over loopback": True,
        "the world to the app": True,
    }
