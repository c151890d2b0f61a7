import pytest
from hypothesis import given
from hypothesis import strategies as st

import coview


@pytest.mark.parametrize(
    ("given", "known", "says"),
    [
        ("temprature", ["temperature", "weight"], ', did you mean "temperature"?'),
        ("posterize", ["Posterize", "Blur"], ', did you mean "Posterize"?'),
        ("ConvNext_Ato", ["convnext_atto", "resnet18"], ', did you mean "convnext_atto"?'),
        ("blr", ["Blur", "blur"], ', did you mean "Blur" or "blur"?'),
        ("resnet1", ["resnet18", "resnet10", "vit"], ', did you mean "resnet18" or "resnet10"?'),
        ("knnn", ["knn", "kn_of_another_kind"], ', did you mean "knn"?'),
        ("zzz", ["knn"], ""),
        ("", ["knn"], ""),
        ("knn", [], ""),
    ],
)
def test_the_nearest_names(given, known, says):
    assert coview.did_you_mean(given, known) == says


def test_an_ending_is_put_after_each():
    assert coview.did_you_mean("tim", ["timm", "hf"], ":x") == ', did you mean "timm:x"?'


@given(name=st.text(st.characters(codec="ascii"), min_size=1, max_size=20), others=st.lists(st.text(max_size=20)))
def test_the_name_itself_in_other_letters_is_the_first(name, others):
    known = [name.swapcase(), *others]
    assert coview.did_you_mean(name, known).startswith(
        tuple(f', did you mean "{spelling}"' for spelling in known if spelling.lower() == name.lower())
    )
