"""``coview data``."""

import json

import numpy as np
from PIL import Image


def test_list(call, registry):
    done = call("data", "list")
    for component in (*registry.of_kind("dataset"), *registry.of_kind("resource")):
        assert component.summary in done.out
    listed = json.loads(call("data", "list", "--json").out)
    assert [row["name"] for row in listed["datasets"]] == [c.name for c in registry.of_kind("dataset")]
    assert [row["name"] for row in listed["resources"]] == [c.name for c in registry.of_kind("resource")]


def test_show(call):
    page = json.loads(call("data", "show", "digits", "--json").out)
    assert {split["split"]: split["samples"] for split in page["splits"]} == {"train": 1437, "test": 360}
    assert page["classes"] == [str(digit) for digit in range(10)]
    assert "1,437 samples  8×8" in call("data", "show", "digits").out


def test_show_of_what_is_not_there(call, tmp_path):
    done = call("data", "show", "digts")
    assert (done.status, 'did you mean "digits"' in done.err) == (2, True)
    done = call("data", "show", "image_folder", "--set", f"data.root={tmp_path / 'none'}")
    assert (done.status, "none" in done.err) == (2, True)


def test_fetch_of_a_wrong_name_fetches_nothing(call):
    done = call("data", "fetch", "wrdnet")
    assert (done.status, done.out) == (2, "")
    assert 'unknown resource "wrdnet"' in done.err


def test_show_tells_what_was_found_and_what_was_left_out(call, tmp_path):
    for split, count in (("Train", 5), ("dev", 2)):
        for at, name in enumerate(("cat", "dog")):
            (tmp_path / "pictures" / split / name).mkdir(parents=True)
            for i in range(count - at):
                pixels = np.full((4, 6, 3), 10 * i + 100 * at, np.uint8)
                Image.fromarray(pixels).save(tmp_path / "pictures" / split / name / f"{i}.png")
    (tmp_path / "pictures" / "dev" / "dog" / "list.txt").write_text("x")
    (tmp_path / "pictures" / "dev" / "dog" / "broken.png").write_text("x")
    done = call("data", "show", "image_folder", "--set", "data.root=pictures")
    assert done.status == 0
    for said in (
        "train              9 samples  6×4 RGB, uint8",
        "image: 0 to 130; 2 classes of 4 to 5",
        "test               4 samples  6×4 RGB, uint8",
        "image: 0 to 100; 2 classes of 2",
        "1 of 4 looked at cannot be read: pictures/dev/dog/broken.png: cannot be read as a picture",
        "2 classes: cat, dog",
        "note: the splits are the folder's own: Train/ (train), dev/ (test)",
        "note: left out, as no pictures by the ending: 1 .txt (dog/list.txt)",
    ):
        assert said in done.out, done.out
    assert len(done.out.splitlines()) <= 10
    page = json.loads(call("data", "show", "image_folder", "--set", "data.root=pictures", "--json").out)
    assert page["splits"][0]["classes"] == {"cat": 5, "dog": 4}


def test_a_parameter_is_spelled_as_in_a_recipe_or_without_its_table(call, tmp_path):
    (tmp_path / "t.csv").write_text("text,kind\n" + "".join(f"a text {i},{'ab'[i % 2]}\n" for i in range(20)))
    both = [
        call("data", "show", "text_table", "--set", f"{table}path=t.csv", "--set", f"{table}label=kind")
        for table in ("data.", "")
    ]
    assert both[0].status == 0
    assert both[0].out == both[1].out


def test_show_of_groups_scores_and_lengths(call, tmp_path):
    rows = "".join(f"{'x' * (i + 1)},{i / 2},{'ab'[i % 2]},w{i % 4}\n" for i in range(20))
    (tmp_path / "t.csv").write_text("text,mark,kind,who\n" + rows)
    sets = [
        word for pair in ("path=t.csv", "score=mark", "label=kind", "group=who") for word in ("--set", f"data.{pair}")
    ]
    page = json.loads(call("data", "show", "text_table", *sets, "--json").out)
    splits = {split["split"]: split for split in page["splits"]}
    assert splits["train"]["groups"] + splits["test"]["groups"] == 4
    for end, of in ((0, min), (1, max)):
        assert of(split["scores"][end] for split in page["splits"]) == (0, 9.5)[end]
        assert of(split["ranges"]["text in characters"][end] for split in page["splits"]) == (1, 20)[end]
