"""What is left of the paths of a machine."""

import pytest

from coview.compare.ledger.without_paths import shortened, without_paths


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("/home/me/photos", "…/photos"),
        ("/home/me/My Photos/", "…/My Photos"),
        ("~/photos", "…/photos"),
        ("~me", "…/"),
        (r"C:\Users\me\photos", "…/photos"),
        (r"\\server\share\photos", "…/photos"),
        ("file:///home/me/photos", "…/photos"),
        ("hf:/models/mine", "hf:…/mine"),
        ("hf:~/mine", "hf:…/mine"),
        ("stopped: /home/me/x.log is full", "stopped: …/x.log is full"),
        (r"see C:\Users\me\x.log.", "see …/x.log."),
        ("(/tmp/a/b), '/tmp/c/d'", "(…/b), '…/d'"),
    ],
)
def test_whole_paths_are_shortened(given, left):
    assert without_paths(given) == left


@pytest.mark.parametrize(
    "kept",
    [
        "photos", "./photos", "../photos/a", "hf:org/model", "knn/accuracy", "https://example.org/a/b?c=d",
        "doi:10.1000/abc/def", "1 / rank", "mean over k and/or T", "exp(similarity / temperature)", "$\\alpha\\beta$",
        "Fr\\'echet {\\'e}", "0.1 → 0.2", "", "losses/nt_xent", "AMD EPYC, 1 thread (cpu)", "a: b",
    ],
)  # fmt: skip
def test_what_is_no_whole_path_stays(kept):
    assert without_paths(kept) == kept


def test_of_a_value_all_texts_are_looked_at():
    given = {"root": "/a/b", "nested": [{"paths": ("/c/d", 1, None, True, 0.5)}], "/e/f": "x"}
    assert without_paths(given) == {"root": "…/b", "nested": [{"paths": ["…/d", 1, None, True, 0.5]}], "…/f": "x"}


def test_paths_that_end_alike_can_stay_different():
    one, other = (without_paths(path, told_apart=True) for path in ("/a/prompts.txt", "/b/prompts.txt"))
    assert one != other
    assert one == without_paths("/a/prompts.txt", told_apart=True)
    assert one.startswith("…/prompts.txt#")
    assert "/a" not in one


def test_a_relative_path_can_be_shortened_too():
    assert [shortened(path) for path in ("photos", "../a/photos", "hf:./a/mine")] == [
        "…/photos",
        "…/photos",
        "hf:…/mine",
    ]
