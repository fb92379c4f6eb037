"""Terminal text, ignore patterns, durations, packing limits, and how light the command starts."""

import subprocess
import sys

import pytest

import trainyard.packing
from trainyard import InvalidInput
from trainyard.ignore import IgnoreRules
from trainyard.packing import packed_folder
from trainyard.parameters import seconds, typed_parameters
from trainyard.terminal import one_line, printable


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a\x1b[31mb\x1b[0mc\x1b[2Jd", "abcd"),
        ("t\x1b]0;title\x07x\x1b]8;;http://e\x1b\\link", "txlink"),
        ("\x1bP1;2q~\x1b\\sixel", "sixel"),
        ("c1 \x9b31m\x9d0;t\x9c!", "c1 !"),
        ("\x1b[201~paste\x08\x07\x00", "paste"),
        ("10 %\r20 %\r\nend\t.", "10 %\n20 %\nend\t."),
        ("cut \x1b[3", "cut "),
        ("cut \x1b", "cut "),
        ("nested \x1b\x1b[31m[2J", "nested [2J"),
    ],
)
def test_no_control_sequence_is_left(text, safe):
    assert printable(text) == safe


def test_colours_stay_where_wanted_and_end_with_the_line():
    assert printable("\x1b[1;31mred\x1b[2K\nnext", colours=True) == "\x1b[1;31mred\x1b[0m\nnext"
    assert one_line(" a\n\tb\x1b[31m ") == "a b"


@pytest.mark.parametrize(
    ("pattern", "ignored", "kept"),
    [
        ("*.bin", ["a.bin", "d/e/a.bin"], ["a.bin.txt"]),
        ("/top.py", ["top.py"], ["d/top.py"]),
        ("d/x", ["d/x"], ["e/d/x"]),
        ("**/cache", ["cache", "a/b/cache"], ["cached"]),
        ("a/**/z", ["a/z", "a/b/c/z"], ["b/z"]),
        ("logs/**", ["logs/a", "logs/b/c"], ["logs"]),
        ("data?.[ch]", ["data1.c"], ["data10.c", "data1.x"]),
        ("[!a]x", ["bx"], ["ax", "/x"]),
        ("\\#x", ["#x"], ["x"]),
        ("# comment", [], ["# comment"]),
        ("sp\\ ", ["sp "], ["sp"]),
    ],
)
def test_ignore_patterns_are_gits(pattern, ignored, kept):
    rules = IgnoreRules([pattern])
    assert [path for path in ignored + kept if rules.ignores(path, folder=False)] == ignored


def test_the_last_pattern_decides_and_folders_only_means_it():
    rules = IgnoreRules(["*.txt", "!keep.txt", "build/"])
    assert not rules.ignores("keep.txt", folder=False)
    assert rules.ignores("other.txt", folder=False)
    assert rules.ignores("a/build", folder=True)
    assert not rules.ignores("a/build", folder=False)
    assert rules.ignores(".git", folder=True)


def test_links_in_circles_are_packed_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f.py").write_text("1")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with packed_folder(tmp_path) as packed:
        assert packed.names == ["a/f.py", "b/f.py"]
        assert packed.notes == ["left out, links out of the folder, into themselves or to nothing: a/up, b/up"]


def test_a_folder_that_is_too_large_or_empty_is_refused_with_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(InvalidInput, match="holds no files"), packed_folder(tmp_path):
        pass
    (tmp_path / "big.bin").write_bytes(b"x" * 3000)
    with (
        pytest.raises(InvalidInput, match=r"2.9 KiB, more than 1.0 KiB; largest: big.bin .*trainyardignore"),
        packed_folder(tmp_path, limit_bytes=1024),
    ):
        pass
    monkeypatch.setattr(trainyard.packing, "MAX_FILES", 1)
    (tmp_path / "two").write_text("")
    with pytest.raises(InvalidInput, match="more than 1 files"), packed_folder(tmp_path):
        pass


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("0.5m", 30)])
def test_durations(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "1h30", "-5s", "1w", "0", "5 m"])
def test_what_is_no_duration(text):
    with pytest.raises(InvalidInput):
        seconds(text)


SCHEMA = {
    "$defs": {"Mode": {"enum": ["a", "b"], "type": "string"}},
    "properties": {
        "whole": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "real": {"type": "number"},
        "flag": {"type": "boolean"},
        "text": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "words": {"type": "array", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "mode": {"$ref": "#/$defs/Mode"},
    },
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("whole", "1e3", 1000),
        ("whole", "null", None),
        ("real", "3", 3),
        ("flag", "Yes", True),
        ("text", "12", "12"),
        ("text", "true", "true"),
        ("text", "null", None),
        ("sizes", "64,32", [64, 32]),
        ("sizes", "", []),
        ("words", "1,a b", ["1", "a b"]),
        ("map", '{"k": "v"}', {"k": "v"}),
        ("mode", "b", "b"),
    ],
)
def test_values_take_the_schemas_type(name, text, value):
    assert typed_parameters({name: text}, SCHEMA, template="t") == {name: value}


@pytest.mark.parametrize(
    ("name", "text"), [("whole", "1.5"), ("real", "nan"), ("flag", "2"), ("sizes", "1,x"), ("map", "[1]"), ("mode", "c"), ("other", "1")]
)
def test_values_of_another_type_name_the_parameter(name, text):
    with pytest.raises(InvalidInput, match=rf"parameters\.{name}"):
        typed_parameters({name: text}, SCHEMA, template="t")


def test_entries_of_objects_are_set_one_by_one():
    assert typed_parameters({"map.A": "1", "map.B": "x"}, SCHEMA, template="t") == {"map": {"A": "1", "B": "x"}}


def test_help_loads_nothing_slow_and_lists_the_exit_statuses():
    code = """
import contextlib, io, sys
from trainyard.main import main
with contextlib.redirect_stdout(io.StringIO()) as out:
    assert main(["--help"]) == 0
assert "the watched job FAILED" in out.getvalue() and "submit" in out.getvalue()
print(sorted({"httpx", "rich", "pydantic", "httpx_sse", "trainyard.client"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_wrong_usage_and_version(trainyard):
    assert trainyard("--version").out.strip()
    assert trainyard("nonsense").code == 2
    assert trainyard("submit").code == 2
    assert trainyard("jobs", "--state", "sleeping").code == 2
