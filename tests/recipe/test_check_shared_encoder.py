"""``shared`` in a modality's ``[encoder]``: what can be, and what each mistake is told."""

import jsonschema
import pytest

import coview
from answers import RECIPE, registry
from coview.errors import RecipeError
from coview.recipe.json_schema import recipe_schema
from coview.recipe.snapshot import to_toml

OF_ANSWERS = '[encoder.answer]\nshared = "question"'


@pytest.fixture
def check(write_recipe):
    def check(text=RECIPE, *sets):
        return coview.load_recipe(write_recipe(text), sets=sets, registry=registry())

    return check


def test_both_modalities_have_the_component_of_one_of_them(check):
    recipe = check()
    assert recipe.shared_encoders == {"answer": "question"}
    assert recipe.encoder["answer"] == recipe.encoder["question"]
    assert recipe.tables["encoder"]["answer"] == {"shared": "question"}
    assert list(recipe.encoder) == ["question", "answer"]


def test_what_shares_may_stand_first(check):
    text = RECIPE.replace(OF_ANSWERS, '[encoder.answer]\nuse = "linear"').replace(
        '[encoder.question]\nuse = "linear"', '[encoder.question]\nshared = "answer"'
    )
    assert check(text).shared_encoders == {"question": "answer"}


def test_a_resolved_recipe_says_the_same(check, write_recipe):
    recipe = check()
    again = coview.load_recipe(write_recipe(to_toml(recipe.tables), "resolved.toml"), registry=registry())
    assert again.tables == recipe.tables
    assert again.hash == recipe.hash
    assert recipe.hash != check(RECIPE, "encoder.answer.use=linear").hash


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ('shared = "image"', "shared", 'there is no encoder of "image" to share: the views are of question and answer'),
        ('shared = "answer"', "shared", "names answer itself; it has to be another modality"),
        ('shared = "question"\nwidth = 3', "width", "has no effect beside shared"),
        ('shared = "question"\nuse = "own"', "use", "has no effect beside shared"),
        ('shared = "question"\nlora = { rank = 4 }', "lora", "has no effect beside shared"),
        ('use = "linear"\nlora = 3', "lora", "has to be a table, such as { rank = 8 }, got 3"),
        ("shared = 3", "shared", "has to be a string, got 3"),
        ('shared = ""', "shared", "has to be a string"),
    ],
)
def test_what_cannot_be_shared_is_named_with_its_line(check, table, key, message):
    text = RECIPE.replace(OF_ANSWERS, f"[encoder.answer]\n{table}")
    with pytest.raises(RecipeError) as raised:
        check(text)
    (mistake,) = raised.value.mistakes
    assert mistake.path == f"encoder.answer.{key}"
    assert message in mistake.message
    line = next(n for n, line in enumerate(text.splitlines(), 1) if line == table.splitlines()[-1])
    assert mistake.where.endswith(f"recipe.toml:{line}")


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("of_questions", '"of_questions" is an encoder for question, not for answer'),
        ("differs", '"differs" is another encoder for answer (answers:Own) than for question (answers:Linear)'),
    ],
)
def test_an_encoder_has_to_be_for_both_modalities(check, use, message):
    with pytest.raises(RecipeError) as raised:
        check(RECIPE.replace('use = "linear"', f'use = "{use}"'))
    (mistake,) = raised.value.mistakes
    assert mistake.path == "encoder.answer.shared"
    assert message in mistake.message


def test_nobody_shares_what_is_shared(check):
    with pytest.raises(RecipeError) as raised:
        check(RECIPE.replace('[encoder.question]\nuse = "linear"', '[encoder.question]\nshared = "answer"'))
    assert [mistake.path for mistake in raised.value.mistakes] == ["encoder.question.shared", "encoder.answer.shared"]
    assert "answer has no encoder of its own either" in raised.value.mistakes[0].message


def test_a_mistake_in_the_encoder_is_told_once(check):
    with pytest.raises(RecipeError) as raised:
        check(RECIPE, "encoder.question.width=wide")
    assert [mistake.path for mistake in raised.value.mistakes] == ["encoder.question.width"]


def test_one_modality_has_nobody_to_share_with(check):
    text = RECIPE.replace("views = 1", "views = {question = 2, answer = 0}")
    text = text.replace('[encoder.question]\nuse = "linear"', "[encoder]").replace(OF_ANSWERS, 'shared = "answer"')
    text = text.replace("[projector.question]", "[projector]").replace('[projector.answer]\nuse = "identity"', "")
    with pytest.raises(RecipeError, match=r'encoder.shared: there is no encoder of "answer" to share'):
        check(text)


def test_use_and_shared_replace_each_other(check):
    """As ``use`` replaces another component with its parameters."""
    own = check(RECIPE, "encoder.answer.use=linear", "encoder.answer.width=6")
    assert not own.shared_encoders
    assert own.encoder["answer"].parameters == {"width": 6}
    text = RECIPE.replace(OF_ANSWERS, '[encoder.answer]\nuse = "linear"\nwidth = 3')
    assert check(text, "encoder.answer.shared=question").tables == check().tables


def test_an_encoder_that_is_shared_is_started_by_its_own_table(check):
    start = '\n[start.answer]\nrun = "runs"\n'
    with pytest.raises(RecipeError, match=r"start.answer: answer shares the encoder of question: start it by"):
        check(RECIPE + start)
    with pytest.raises(RecipeError, match=r"start.answer.parts: answer shares"):
        check(RECIPE + start + 'parts = ["encoder", "projector"]\n')
    assert check(RECIPE + start + 'parts = ["projector"]\n').start.keys() == {"answer"}


@pytest.mark.parametrize(
    ("table", "fits"), [({"shared": "question"}, True), ({"use": "linear"}, True), ({"width": 3}, False)]
)
def test_the_schema_takes_one_or_the_other(check, table, fits):
    tables = {**check().tables, "encoder": {"question": {"use": "linear"}, "answer": table}}
    assert jsonschema.Draft202012Validator(recipe_schema(registry())).is_valid(tables) is fits
