"""What a policy means is known, and proved, also where only its tests are wrong."""

from datetime import date
from pathlib import Path

from policyd.pipeline import NotReady, Ready, check_policy, compile_policy
from policyd.resolve.load import load_text

LEAK = """edition 1
target home { location on_prem context 64k speaks chat }
target away { location cloud context 200k speaks chat }
route rest to away, home
otherwise reject "no"
assert stays never location == cloud when opaque
test "names a guard that is gone"
    given { endpoint chat }
    expect home via rest, removed away by stays_home
"""
EXCEPTED = """edition 1
target home { location on_prem context 64k speaks chat }
target away { location cloud context 200k speaks chat }
guard stays only location == on_prem when opaque overridable by "ciso" because "x"
except pilot to stays when team == "t" until 2024-01-01 owner "ciso" because "y"
route rest to away, home
otherwise reject "no"
assert home never location == cloud when opaque
"""


def test_a_wrong_test_leaves_the_meaning() -> None:
    loaded = load_text(LEAK)
    assert loaded.program is None and loaded.meant is not None
    assert {d.code for d in loaded.diagnostics} == {"PD204"}


def test_a_leak_is_named_beside_a_test_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "main.policy"
    path.write_text(LEAK)
    checked = check_policy(path, today=date(2026, 1, 1))
    assert {"PD204", "PD301"} <= {d.code for d in checked.diagnostics}
    assert isinstance(compile_policy(path, today=date(2026, 1, 1)), NotReady)


def test_what_is_wrong_elsewhere_means_nothing() -> None:
    loaded = load_text(LEAK.replace("route rest to away, home", "route rest to nowhere"))
    assert loaded.program is None and loaded.meant is None


def test_what_is_checked_is_what_serves_also_after_an_exception_has_expired(tmp_path: Path) -> None:
    path = tmp_path / "main.policy"
    path.write_text(EXCEPTED)
    before, after = date(2023, 12, 31), date(2024, 1, 2)
    assert "PD301" in {d.code for d in check_policy(path, today=before).diagnostics}
    assert isinstance(compile_policy(path, today=before), NotReady)
    assert "home" in check_policy(path, today=after).proved
    assert isinstance(compile_policy(path, today=after), Ready)
