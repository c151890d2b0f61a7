"""``coview data``."""

import json


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
    done = call("data", "show", "image_folder", "--set", f"root={tmp_path / 'none'}")
    assert (done.status, "none" in done.err) == (2, True)


def test_fetch_of_a_wrong_name_fetches_nothing(call):
    done = call("data", "fetch", "wrdnet")
    assert (done.status, done.out) == (2, "")
    assert 'unknown resource "wrdnet"' in done.err
