"""What a recipe makes is taken only if it is the served model; every other end has its sentence."""

import sys
import venv

import pytest
import torch
from recipes_of_owners import CNN, MLP, cnn, mlp, said

from unlearning.errors import DivergenceError, OutOfMemoryError, RecipeError, SettingsError

NET = "import torch\nfrom torch import nn\n"
NOT_FINITE = (
    "import torch\nfrom torch import nn\n"
    "model = nn.Sequential(nn.Linear(40, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))\n"
    "nn.init.constant_(model[3].bias, float('nan'))\nreturn model"
)


def test_a_recipe_trains_the_served_form_and_learns(trained, batches):
    made = trained(MLP)
    module = mlp()
    module.load_state_dict(made.state)
    values = batches[0]["features"].flatten().to_numpy()
    inputs = torch.tensor(values, dtype=torch.float32).reshape(-1, 40)
    answers = module.eval()(inputs).argmax(1)
    right = (answers == torch.tensor(batches[0]["label"].to_numpy())).float().mean()
    assert right > 0.9
    assert made.seconds > 0


def test_the_same_seed_gives_the_same_weights(trained):
    first, second = trained(MLP).state, trained(MLP).state
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_state_dict_with_batch_norm_is_taken_too(trained):
    state = trained(CNN, like=cnn()).state
    assert list(state) == list(cnn().state_dict())
    assert int(state["1.num_batches_tracked"]) == 40


BAD = {
    "no function": (b"tran = 1\n", "defines no function `train`"),
    "other arguments": (b"def train(rows):\n    pass\n", r"does not take \(rows, \*, seed, init\)"),
    "no Python": (b"def train(:\n", "raises SyntaxError in line 1"),
    "raises": (said("x = 1\nraise ValueError(rows)"), "raises ValueError in line 3"),
    "exits": (said("raise SystemExit(0)"), "raises SystemExit in line 2"),
    "vanishes": (said("import os\nos._exit(7)"), "ended with status 7 and no word"),
    "no model": (said("return 7"), "neither a torch module nor its tensors by name, but int"),
    "another name": (
        said("import torch\nreturn {'weight': torch.ones(2)}"),
        "lacks the tensor '0.weight'",
    ),
    "another shape": (
        MLP.replace("16", "17").encode(),
        r"has float32 \[17, 40\] as '0.weight', where the served model has float32 \[16, 40\]",
    ),
    "another type": (
        MLP.replace("return model", "return model.double()").encode(),
        "has float64 .* as '0.weight'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_recipe_is_told_in_one_sentence(trained, case):
    code, words = BAD[case]
    with pytest.raises(RecipeError, match=words) as caught:
        trained(code)
    assert str(caught.value).count(". ") == 0


def test_what_it_says_of_an_error_quotes_no_row(trained):
    code = said("kind = type('subject zq7', (Exception,), {})\nraise kind(rows)")
    with pytest.raises(RecipeError, match="raises an error in line 3") as caught:
        trained(code)
    assert "zq7" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused(trained):
    with pytest.raises(DivergenceError, match=r"not finite in '3\.bias'"):
        trained(said(NOT_FINITE))


def test_a_package_that_its_python_lacks_is_named(trained):
    with pytest.raises(SettingsError, match="needs the package surely_not_here"):
        trained(said("import surely_not_here"))


def test_memory_that_runs_out_is_no_fault_of_the_model(trained):
    with pytest.raises(OutOfMemoryError):
        trained(said("raise MemoryError"))


def test_a_recipe_that_hangs_is_ended(trained):
    with pytest.raises(RecipeError, match="did not end within"):
        trained(said("import time\ntime.sleep(1000)"), seconds=1)


def test_a_link_in_place_of_its_weights_is_not_followed(trained, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"secret")
    code = f"import os\nos.symlink({str(tmp_path / 'elsewhere')!r}, 'state.safetensors')\n"
    code += "open('said.json', 'w').write('{\"outcome\": \"trained\"}')\nos._exit(0)"
    with pytest.raises(RecipeError, match="cannot be read"):
        trained(said(code))


def test_what_its_owner_froze_is_handed_to_it_and_nothing_else(trained):
    served = mlp()
    served.get_submodule("0").requires_grad_(requires_grad=False)
    code = MLP.replace(
        "    optimiser",
        "    assert set(init) == {'0.weight', '0.bias'}\n"
        "    model.load_state_dict(init, strict=False)\n"
        "    model[0].requires_grad_(False)\n    optimiser",
        1,
    )
    state = trained(code, like=served).state
    assert torch.equal(state["0.weight"], served.state_dict()["0.weight"])
    assert not torch.equal(state["3.weight"], served.state_dict()["3.weight"])
    with pytest.raises(RecipeError, match="TypeError"):
        trained(code)  # nothing is frozen, so that there is nothing to begin with


def test_the_python_that_its_owner_names_runs_it(trained, tmp_path):
    venv.create(tmp_path / "bare", with_pip=False)
    python = str(tmp_path / "bare" / "bin" / "python")
    with pytest.raises(SettingsError, match="needs the package torch, which its Python does not"):
        trained(MLP, python=python)
    assert trained(MLP, python=sys.executable).state
    with pytest.raises(SettingsError, match="does not start as a Python"):
        trained(MLP, python=str(tmp_path / "nothing"))
