import pytest

from pipeline.data import manifest
from pipeline.errors import UnrollError
from pipeline.files import read_json


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "station"
    folder.mkdir()
    (folder / "b.csv").write_bytes(b"T\n1.5\n")
    (folder / "a.csv").write_bytes(b"")
    return folder


def test_every_file_is_described_and_found_again(raw):
    manifest.write(raw, "station", "stand_in")
    assert read_json(raw / "source.json") == {
        "name": "station",
        "kind": "stand_in",
        "stand_in": True,
        "files": {
            "a.csv": {"bytes": 0, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
            "b.csv": {"bytes": 6, "sha256": "fed6790806cb3882e5ba3d01396db1b87aa09bb06844e94c713bd75a2c73d0c4"},
        },
    }
    assert manifest.checked(raw).files["b.csv"].bytes == 6


def test_only_a_stand_in_is_one(raw):
    manifest.write(raw, "station", "local")
    assert not manifest.checked(raw).stand_in


def damage_one_digit(raw):
    (raw / "b.csv").write_bytes(b"T\n1.6\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            damage_one_digit,
            r"b\.csv has another sha256 than source\.json says, so it is damaged; run `unroll source s",
        ),
        (lambda raw: (raw / "b.csv").unlink(), r"b\.csv is missing; run `unroll source station` again$"),
        (lambda raw: (raw / "source.json").unlink(), r"source\.json is missing; run `unroll source station`$"),
        (lambda raw: (raw / "source.json").write_text("{}"), r"source\.json is damaged \(name is missing\)"),
    ],
)
def test_a_file_that_is_not_the_fetched_one_is_one_line(raw, damage, said):
    manifest.write(raw, "station", "local")
    damage(raw)
    with pytest.raises(UnrollError, match=said):
        manifest.checked(raw)


def test_a_source_must_not_hold_a_file_of_its_name(raw):
    (raw / "source.json").touch()
    with pytest.raises(UnrollError, match="source station: source.json is a name that Unroll uses itself"):
        manifest.write(raw, "station", "local")
