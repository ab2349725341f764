"""Reading from a disk: what is not a policy's file is refused with its reason, and nothing outside its folder is read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from policyd.resolve.load import Loaded, load, load_text
from policyd.resolve.reading import Disk, Held
from tests.resolve.completed import completed


def found(loaded: Loaded) -> list[tuple[str, str]]:
    assert loaded.program is None
    return [(d.code, d.message) for d in loaded.diagnostics]


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.policy"
    assert found(load(path)) == [("PD001", f"there is no file `{path}`")]


def test_a_file_below_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, "main.policy", "") / "below.policy"
    assert found(load(path)) == [("PD001", f"there is no file `{path}`")]


def test_a_folder(tmp_path: Path) -> None:
    assert found(load(tmp_path)) == [("PD001", f"`{tmp_path}` is a folder")]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "main.policy"
    os.mkfifo(path)
    assert found(load(path)) == [("PD001", f"`{path}` cannot be read: not a regular file")]


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    class Refusing(Disk):
        def read(self, path: Path) -> bytes:
            raise PermissionError(13, "Permission denied", str(path))

    path = tmp_path / "main.policy"
    assert found(load(path, files=Refusing())) == [("PD001", f"`{path}` cannot be read: Permission denied")]


def test_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    path = write(tmp_path, "main.policy", b"edition 1 # caf\xe9\n")
    assert found(load(path)) == [("PD002", f"`{path}` is not UTF-8: byte 15 cannot be read")]


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = write(tmp_path, "main.policy", b"\xef\xbb\xbf" + completed("").encode())
    assert load(path).program is not None


def test_files_are_named_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "policies/main.policy", completed('include "teams/a.policy" scope team == "a"'))
    write(tmp_path, "policies/teams/a.policy", 'edition 1\ninclude "../b.policy"\nroute quick to rcak\n')
    write(tmp_path, "policies/b.policy", "edition 1\nset b = { 1 }\n")
    monkeypatch.chdir(tmp_path)
    loaded = load(Path("policies/main.policy"))
    assert [d.span.place for d in loaded.diagnostics if d.span] == ["policies/teams/a.policy:3:16"]
    assert [str(f) for f in loaded.files] == [
        "policies/main.policy",
        "policies/teams/a.policy",
        "policies/b.policy",
    ]


def test_a_table_is_one_of_the_files(tmp_path: Path) -> None:
    path = write(tmp_path, "main.policy", completed('tests from "cases.csv"'))
    write(tmp_path, "cases.csv", 'team,expect\n"""a""",rack\n')
    loaded = load(path)
    assert loaded.program is not None
    assert loaded.files == (path, tmp_path / "cases.csv")


@pytest.mark.parametrize(
    "path", ["../out.policy", "a/../../out.policy", "/etc/passwd", "", "..", "a\\\\..\\\\b"]
)
def test_a_path_out_of_the_folder_is_not_read(tmp_path: Path, path: str) -> None:
    write(tmp_path, "out.policy", "edition 1\n")
    read: list[Path] = []
    main = write(tmp_path, "policies/main.policy", completed(f'include "{path}"'))

    class Noting(Disk):
        def read(self, path: Path) -> bytes:
            read.append(path)
            return path.read_bytes()

    assert [code for code, _ in found(load(main, files=Noting()))] == ["PD015"]
    assert read == [main]


@pytest.mark.parametrize(
    "link", [lambda at, to: at.symlink_to(to), lambda at, to: at.symlink_to(to.name and Path("..") / to.name)]
)
def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    outside = write(tmp_path, "out.policy", "edition 1\n")
    main = write(tmp_path, "policies/main.policy", completed('include "in.policy"'))
    link(tmp_path / "policies" / "in.policy", outside)
    assert [code for code, _ in found(load(main))] == ["PD015"]


def test_a_link_inside_the_folder_is_followed_as_in_a_mounted_configuration(tmp_path: Path) -> None:
    write(tmp_path, "..data/main.policy", completed('include "in.policy"'))
    write(tmp_path, "..data/in.policy", "edition 1\n")
    for name in ("main.policy", "in.policy"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    assert load(tmp_path / "main.policy").program is not None


def test_a_loop_of_links_is_unreadable(tmp_path: Path) -> None:
    main = write(tmp_path, "main.policy", completed('include "in.policy"'))
    (tmp_path / "in.policy").symlink_to("in.policy")
    assert [code for code, _ in found(load(main))] == ["PD001"]


def test_one_file_under_two_names_is_included_twice(tmp_path: Path) -> None:
    main = write(tmp_path, "main.policy", completed('include "a.policy"\ninclude "b.policy"'))
    write(tmp_path, "a.policy", "edition 1\n")
    (tmp_path / "b.policy").symlink_to("a.policy")
    assert [code for code, _ in found(load(main))] == ["PD016"]


def test_a_circle_through_a_link_is_a_circle(tmp_path: Path) -> None:
    main = write(tmp_path, "main.policy", completed('include "a.policy"'))
    (tmp_path / "a.policy").symlink_to("main.policy")
    assert [code for code, _ in found(load(main))] == ["PD013"]


def test_includes_end_somewhere() -> None:
    files = {f"a{i}.policy": f'edition 1\ninclude "a{i + 1}.policy"\n' for i in range(1, 40)}
    loaded = load_text(completed('include "a1.policy"'), "main.policy", files)
    assert [code for code, _ in found(loaded)] == ["PD014"]
    assert len(loaded.files) == 16


def test_an_empty_policy_decides_nothing() -> None:
    assert [code for code, _ in found(load_text("edition 1\n"))] == ["PD017"]


def test_what_was_read_loads_again_from_memory(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "main.policy",
        completed('include "teams/a.policy" scope team == "a"\ntests from "cases.csv"'),
    )
    write(tmp_path, "teams/a.policy", "edition 1\nroute quick to rack\n")
    write(tmp_path, "cases.csv", 'team,expect\n"""b""",rack\n')
    loaded = load(path)
    assert loaded.program is not None
    assert [s.name for s in loaded.sources] == [str(f) for f in loaded.files]
    again = load(path, files=Held({s.name: s.text for s in loaded.sources}))
    assert (again.program, again.diagnostics, again.files) == (
        loaded.program,
        loaded.diagnostics,
        loaded.files,
    )


def test_what_is_not_held_is_not_looked_for_on_disk(tmp_path: Path) -> None:
    path = write(tmp_path, "main.policy", completed('include "a.policy"'))
    inner = write(tmp_path, "a.policy", "edition 1\nset a = { 1 }\n")
    held = Held({str(path): path.read_bytes()})
    assert found(load(path, files=held)) == [("PD001", f"there is no file `{inner}`")]
