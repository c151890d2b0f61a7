"""A plugin's data set of the hub: its own parameters, and those that every one of them has."""

import inspect

import pytest

import coview
from coview.plugins.parameters import Parameters

datasets = pytest.importorskip("datasets")


class Numbers(coview.HubDataset):
    """Numbers of a data set.

    Args:
        column: The column of the numbers.
        label: The column of the class; numbers have none.
    """

    modalities = ("number",)

    def __init__(self, *, column: str, label: str | None = "", **rows):
        super().__init__(label=label, **rows)
        self.column = self.rows.check(column)

    def __getitem__(self, index):
        return coview.Sample({"number": self.rows[index][self.column]}, id=self.rows.id(index))


@pytest.fixture
def folder(tmp_path):
    data = datasets.Dataset.from_dict({"n": list(range(10)), "label": ["a", "b"] * 5})
    datasets.DatasetDict({"train": data, "test": data.select(range(4))}).save_to_disk(tmp_path / "numbers")
    return str(tmp_path / "numbers")


def test_a_recipe_gives_its_own_parameters_and_those_of_the_rows(folder):
    factory = Numbers.of(folder)
    parameters = Parameters.of(factory, "dataset")
    of_rows = [name for name in inspect.signature(coview.HubRows).parameters if name not in ("path", "split", "label")]
    assert [parameter.name for parameter in parameters.parameters] == ["column", "label", *of_rows]
    assert parameters.doc == "Numbers of a data set."
    by_name = {parameter.name: parameter for parameter in parameters.parameters}
    assert by_name["label"].doc == "The column of the class; numbers have none."
    assert by_name["split_seed"].doc == "Seed of that split, on purpose not the run's."
    assert all(parameter.doc for parameter in parameters.parameters)
    assert by_name["column"].required
    assert by_name["test_fraction"].type == "a number above 0 and below 1"
    assert [problem.path for problem in parameters.check({"column": "n", "first": 0, "colum": "n"})] == [
        "first",
        "colum",
    ]


def test_there_is_a_validation_split_where_one_is_named(folder):
    factory = Numbers.of(folder)
    assert factory.find_splits(column="n") == ("train", "test")
    assert factory.find_splits(column="n", validation_split="test") == ("train", "validation", "test")
    assert len(factory(split="validation", column="n", validation_split="test")) == 4


def test_what_is_given_reaches_the_rows(folder):
    numbers = Numbers.of(folder)(split="test", column="n", first=3)
    assert [numbers[i]["number"] for i in range(len(numbers))] == [0, 1, 2]
    assert numbers.classes is None
    assert Numbers.of(folder)(column="n", label="label").classes == ("a", "b")
    assert Numbers.of(folder).path == folder
    with pytest.raises(ValueError, match="split has to be one of train, test, got 'valid'"):
        Numbers.of(folder)(split="valid", column="n")
