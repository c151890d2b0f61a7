"""Files in folders by class: which are found, how they are split, what is unclear."""

from __future__ import annotations

import unicodedata

import pytest

import coview

KIND = coview.FileKind(name="leaf", files="leaves", suffixes=(".leaf",), expected="expected are leaves")


@pytest.fixture
def root(tmp_path):
    def grow(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        return tmp_path

    return grow


def listed(root, split="train", fraction=0.25, seed=0):
    return coview.split_listing(KIND.root(root), KIND, split, fraction=fraction, seed=seed)


def test_hidden_and_other_files_are_passed_over_and_links_followed_once(root, tmp_path):
    folder = root("a/1.leaf", "a/deep/er/2.LEAF", "a/.3.leaf", "a/.deep/4.leaf", "a/5.txt", "b/6.leaf")
    (folder / "a" / "loop").symlink_to(folder / "a")
    (folder / "a" / "to_b").symlink_to(folder / "b")
    assert sorted(KIND.below(folder / "a")) == ["1.leaf", "deep/er/2.LEAF", "to_b/6.leaf"]


def test_a_seeded_split_of_all(root):
    folder = root(*(f"{name}/{i}.leaf" for name in "ba" for i in range(8)))
    train, test = listed(folder), listed(folder, "test")
    assert train.classes == test.classes == ("a", "b")
    assert sorted(train.paths + test.paths) == sorted(f"{name}/{i}.leaf" for name in "ab" for i in range(8))
    for part, count in ((train, 6), (test, 2)):
        assert part.paths == sorted(part.paths)
        assert (
            [part.classes[label] for label in part.labels] == [path[0] for path in part.paths] == sorted("ab" * count)
        )
    assert listed(folder, "test", seed=1).paths != test.paths


def test_splits_of_its_own_and_classes_of_the_training_split(root):
    folder = root("train/a/1.leaf", "train/b/1.leaf", "train/c/1.leaf", "val/b/2.leaf", "val/c/2.leaf")
    test = listed(folder, "test")
    assert (test.paths, test.classes, test.labels.tolist()) == (
        ["val/b/2.leaf", "val/c/2.leaf"],
        ("a", "b", "c"),
        [1, 2],
    )
    root("test/a/3.leaf", "test/b/3.leaf")
    assert listed(folder, "test").paths == ["test/a/3.leaf", "test/b/3.leaf"]
    root("test/z/3.leaf")
    with pytest.raises(coview.CoviewError, match="the classes z are not among those of train/: a, b, c"):
        listed(folder, "test")


def test_groups_stay_on_one_side():
    paths = [f"{i}.leaf" for i in range(20)]
    listing = coview.FileListing(paths, None, None, groups=[str(i // 4) for i in range(20)])
    train, test = (listing.split(split, fraction=0.4, seed=0) for split in ("train", "test"))
    assert not set(train.groups) & set(test.groups)
    assert sorted(train.paths + test.paths) == sorted(paths)
    assert all(
        group == str(int(path[: -len(".leaf")]) // 4) for path, group in zip(test.paths, test.groups, strict=True)
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "leaf folder .* has no leaves: it is empty"),
        (("b.txt", "a.txt"), "has no leaves: it has 2 other files, such as a.txt"),
        (("a/1.txt", "b/1.txt"), "no leaves below a, b"),
        (("a/1.leaf", "b/1.leaf", "c/1.txt"), "no leaves in c, while 2 class folders have some"),
        (("a/1.leaf",), "has exactly one class, 'a'"),
        (("a/1.leaf", "b/1.leaf", "1.leaf"), r"has leaves of its own \(1.leaf\) beside the subfolders a, b"),
    ],
)
def test_what_is_unclear_is_refused(root, files, message):
    with pytest.raises(coview.CoviewError, match=message) as caught:
        listed(root(*files))
    assert caught.value.hint


def test_what_is_no_folder(root, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(root("a")))
    with pytest.raises(coview.CoviewError, match="leaf folder ~/a: it is a file, not a folder"):
        KIND.root(type(tmp_path)("~/a"))
    with pytest.raises(coview.CoviewError, match="there is no such folder"):
        KIND.root(tmp_path / "gone")


def test_few():
    assert coview.few(["a"]) == "a"
    assert coview.few(["a", "b", "c"]) == "a, b, c"
    assert coview.few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


@pytest.mark.parametrize("train", ["train", "Train", "TRAINING"])
@pytest.mark.parametrize(
    ("held_out", "splits"),
    [
        (("test",), {"test": "test"}),
        (("Testing",), {"test": "Testing"}),
        (("valid",), {"test": "valid"}),
        (("validation",), {"test": "validation"}),
        (("VAL",), {"test": "VAL"}),
        (("dev", "test"), {"test": "test", "validation": "dev"}),
    ],
)
def test_names_of_splits(root, train, held_out, splits):
    folder = root(*(f"{part}/{name}/{i}.leaf" for part in (train, *held_out) for name in "ab" for i in range(2)))
    assert set(KIND.splits_of(folder)) == {"train", "test", *splits}
    for split, name in {"train": train, **splits}.items():
        found = listed(folder, split)
        assert found.paths == sorted(f"{name}/{c}/{i}.leaf" for c in "ab" for i in range(2))
        assert found.classes == ("a", "b")
        assert f"{name}/ ({split})" in found.notes[0]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("test/a/1.leaf", "test/b/1.leaf"), "has test/ and no train/"),
        (("val/a/1.leaf", "dev/b/1.leaf"), "has dev/ and no train/"),
        (("test/1.leaf", "a/1.leaf", "b/1.leaf"), "has test/ and no train/"),
        (("train/a/1.leaf", "train/b/1.leaf"), "has the split train/ alone"),
        (("train/a/1.leaf", "test/a/1.leaf", "testing/a/1.leaf"), "test/ and testing/: both are the test split"),
    ],
)
def test_splits_that_are_not_clear_are_refused(root, files, message):
    with pytest.raises(coview.CoviewError, match=message) as caught:
        listed(root(*files))
    assert caught.value.hint or "both" in message


def test_train_among_other_names_is_a_class(root):
    folder = root(*(f"{name}/{i}.leaf" for name in ("train", "plane", "val") for i in range(5)), *())
    assert KIND.splits_of(folder) == ("train", "test")
    other = root(*(f"vehicles/{name}/{i}.leaf" for name in ("train", "plane") for i in range(5))) / "vehicles"
    assert listed(other).classes == ("plane", "train")


def test_what_is_left_out_is_counted_and_named(root):
    names = ["a/1.leaf", "a/2.leaf", "b/1.leaf", "b/2.leaf", "a/x.txt", "a/y.txt", "b/z.db", "readme", "a/.hidden.txt"]
    (note,) = [note for note in listed(root(*names)).notes if "left out" in note]
    assert (
        note
        == "left out, as no leaves by the ending: 2 .txt (a/x.txt), 1 .db (b/z.db), 1 no ending (root/readme)".replace(
            "root", root().name
        )
    )


def test_accents_may_be_composed_or_not(root):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    files = [f"train/{composed}/1.leaf", "train/b/1.leaf", f"test/{decomposed}/2.leaf", "test/b/2.leaf"]
    test = listed(root(*files), "test")
    assert test.classes == ("b", composed)
    assert [test.classes[label] for label in test.labels] == ["b", composed]
    assert test.paths == ["test/b/2.leaf", f"test/{decomposed}/2.leaf"]


def test_the_version_is_of_the_content_and_classes_of_all_splits(root):
    folder = root("train/a/1.leaf", "train/b/1.leaf", "test/a/2.leaf", "test/b/2.leaf", "test/b/3.leaf")
    before = listed(folder).version
    assert listed(folder, "test").version == before
    assert before.startswith("5 files ")
    (folder / "test/b/2.leaf").write_text("something else")
    assert listed(folder).version != before
    (folder / "test/b/2.leaf").write_text("test/b/2.leaf")
    assert listed(folder).version == before
    (folder / "test/b/3.leaf").rename(folder / "test/a/9.leaf")
    assert listed(folder).version != before


def test_the_version_is_of_the_seeded_split_too(root):
    folder = root(*(f"{name}/{i}.leaf" for name in "ab" for i in range(10)))
    assert listed(folder, seed=1).version != listed(folder).version
    assert listed(folder, fraction=0.5).version != listed(folder).version
