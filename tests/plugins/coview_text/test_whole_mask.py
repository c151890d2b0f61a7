"""Models of transformers that are given a mask of all pairs of tokens make of texts what they make with the usual one."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoConfig, AutoModel

from coview_text.encoders import whole_mask

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "vocab_size": 60}
DISTILBERT = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48, "vocab_size": 60}


class Looks(TorchDispatchMode):
    """Counts how often a value of a tensor is asked for."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.count += function._schema.name == "aten::_local_scalar_dense"
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize("kind", whole_mask._TAKE_IT_WHOLE)
@pytest.mark.parametrize("lengths", [(5, 9, 1), (9, 9, 9)])
def test_the_mask_of_pairs_comes_to_the_same(kind, lengths, monkeypatch):
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **(DISTILBERT if kind == "distilbert" else SMALL))
    model = AutoModel.from_config(config).eval()
    ids_NT = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(1))
    mask_NT = (torch.arange(9) < torch.tensor(lengths)[:, None]).long()
    assert whole_mask.attention_mask_for(model, mask_NT) is mask_NT
    expected = model(input_ids=ids_NT, attention_mask=mask_NT).last_hidden_state
    monkeypatch.setattr(whole_mask, "may_look", lambda tensor: False)
    whole = whole_mask.attention_mask_for(model, mask_NT)
    assert whole.shape == (3, 1, 9, 9)
    with Looks() as looks:
        found = model(input_ids=ids_NT, attention_mask=whole).last_hidden_state
    assert looks.count == 0
    real_NT = mask_NT.bool()
    torch.testing.assert_close(found[real_NT], expected[real_NT], rtol=1e-5, atol=1e-6)


def test_others_keep_the_usual_mask(monkeypatch):
    """A model with windows makes another mask for them of what it is given."""
    monkeypatch.setattr(whole_mask, "may_look", lambda tensor: False)
    config = AutoConfig.for_model("modernbert", **SMALL, pad_token_id=0)
    mask_NT = torch.ones(2, 4, dtype=torch.int64)
    assert whole_mask.attention_mask_for(AutoModel.from_config(config), mask_NT) is mask_NT
    eager = AutoModel.from_config(AutoConfig.for_model("bert", **SMALL), attn_implementation="eager")
    assert whole_mask.attention_mask_for(eager, mask_NT) is mask_NT
