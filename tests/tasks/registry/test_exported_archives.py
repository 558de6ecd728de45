"""No string of an exported model's archive is run, whichever way torch would run it."""

import json
import warnings

import pytest
import torch
from hostile_archives import rewrite
from models_of_others import Convolutions
from torch import nn

from tasks.registry.exported_archives import is_guard, is_size, refuse_code
from unlearning.errors import UnsupportedModelError

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of its own formats


def export(module, inputs, file):
    rows = {0: torch.export.Dim("rows", min=2, max=1024)}
    program = torch.export.export(module.eval(), (inputs,), dynamic_shapes=(rows,))
    torch.export.save(program, file)


class Recurrent(nn.Module):
    """Words, one after the other."""

    def __init__(self):
        super().__init__()
        self.words, self.cells = nn.Embedding(9, 4), nn.LSTM(4, 4, batch_first=True)
        self.scores = nn.Linear(4, 2)

    def forward(self, inputs):
        found, _ = self.cells(self.words(inputs.long()))
        return self.scores(found[:, -1])


class Attentive(nn.Module):
    """Attention with einsum, strings among its arguments, and sizes that are computed."""

    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(4, 2, batch_first=True)
        self.act = nn.GELU(approximate="tanh")

    def forward(self, inputs):
        rows = inputs.reshape(inputs.shape[0], -1, 4)
        with torch.no_grad():
            scale = rows.mean()
        found, _ = self.inner(rows, rows, rows)
        found = torch.einsum("bij,bij->bj", self.act(found), rows) * scale
        return found.reshape(2 * inputs.shape[0], 2).reshape(inputs.shape[0], -1)[:, :2]


SOUND = {
    "perceptron": (nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)), (2, 8)),
    "convolutions": (Convolutions(2), (2, 1, 5, 8)),
    "recurrent": (Recurrent(), (2, 8)),
    "attentive": (Attentive(), (2, 8)),
}


@pytest.mark.parametrize(("module", "shape"), SOUND.values(), ids=SOUND)
def test_what_torch_exports_is_let_through(module, shape, tmp_path):
    file = tmp_path / "model.pt2"
    export(module, torch.zeros(shape), file)
    refuse_code(file, "income version 1")
    assert torch.export.load(file).module()(torch.ones(3, *shape[1:])).shape == (3, 2)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    file = tmp_path_factory.mktemp("sound") / "model.pt2"
    export(nn.Sequential(nn.Linear(8, 2)), torch.zeros(2, 8), file)
    return file


def graph(program):
    return program["graph_module"]["graph"]


def in_expression(program, code):
    (size, _) = graph(program)["tensor_values"]["input"]["sizes"]
    size["as_expr"]["expr_str"] = f"{code}*0 + {size['as_expr']['expr_str']}"


def in_guard(program, code):
    program["guards_code"] = [f"{code} == 0"]


def in_quoted_guard(program, code):
    program["guards_code"] = [f"""L['x" + str({code}) + "'] == 0"""]


def in_operator(program, code):
    (node,) = graph(program)["nodes"]
    graph(program)["tensor_values"]["done"] = graph(program)["tensor_values"]["linear"]
    call = {"name": "command", "arg": {"as_string": code.split("'")[3]}, "kind": 1}
    graph(program)["nodes"].append(
        node
        | {"target": "torch.os.system", "inputs": [call], "name": "done"}
        | {"outputs": [{"as_tensor": {"name": "done"}}]}
    )


def in_name(program, code):
    text = json.dumps(program).replace('"input"', json.dumps(f"input=[{code}]"))
    program |= json.loads(text)


def in_structure(program, code):
    (whole, *_) = program["graph_module"]["module_call_graph"]
    _, tree = json.loads(whole["signature"]["in_spec"])
    tree["context"] = json.dumps({"__enum__": True, "fqn": "antigravity:x", "name": code})
    whole["signature"]["in_spec"] = json.dumps([1, tree])


def in_a_part_named_like_notes(program, code):
    graph(program)["custom_obj_values"] = {"stack_trace": {"name": f"{code};", "class_fqn": ""}}


WAYS = [
    in_expression,
    in_guard,
    in_quoted_guard,
    in_operator,
    in_name,
    in_structure,
    in_a_part_named_like_notes,
]


def with_code(sound, tmp_path, way):
    marker, file = tmp_path / "marker", tmp_path / "model.pt2"
    code = f"__import__('os').system('touch {marker}')"
    rewrite(sound, file, lambda program: way(program, code))
    return marker, file


@pytest.mark.parametrize("way", WAYS)
def test_code_in_an_archive_is_refused_before_torch_reads_it(sound, tmp_path, way):
    marker, file = with_code(sound, tmp_path, way)
    with pytest.raises(UnsupportedModelError, match=r"income version 1 .* --trust-code"):
        refuse_code(file, "income version 1")
    assert not marker.exists()


@pytest.mark.parametrize("way", [in_expression, in_guard])
def test_torch_alone_runs_it(sound, tmp_path, way):
    marker, file = with_code(sound, tmp_path, way)
    module = torch.export.load(file).module()
    module(torch.zeros(2, 8))
    assert marker.exists()


OTHERS = ["model/data/aotinductor/model/a.so", "model/models/other.json", "version"]
OTHERS += ["model/models/model.json", "elsewhere/models/model.json"]


@pytest.mark.parametrize("record", OTHERS)
def test_records_that_exported_models_have_not_are_refused(sound, tmp_path, record):
    file = tmp_path / "model.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the second record of a name
        rewrite(sound, file, lambda _: None, [record])
    with pytest.raises((UnsupportedModelError, RuntimeError), match=r"record|torch|subdirectory"):
        refuse_code(file, "income version 1")


def test_an_archive_behind_another_one_is_refused(sound, tmp_path):
    file = tmp_path / "model.pt2"
    file.write_bytes(b"another reader sees this" + sound.read_bytes())
    with pytest.raises((UnsupportedModelError, RuntimeError)):
        refuse_code(file, "income version 1")


def test_operators_that_reach_for_files_are_refused(sound, tmp_path):
    def change(program):
        (node,) = graph(program)["nodes"]
        node["target"] = "torch.ops.aten.from_file.default"

    rewrite(sound, tmp_path / "model.pt2", change)
    with pytest.raises(UnsupportedModelError, match="from_file"):
        refuse_code(tmp_path / "model.pt2", "income version 1")


GUARDS = [
    "L['x'].size()[0] >= 2",
    "Mod(L['args'][0].size()[1], 2) == 0",
    "Eq(L['x'].stride()[0], 8*L['x'].size()[0])",
    "math.isnan(L['x'])",
]


@pytest.mark.parametrize("guard", GUARDS)
def test_guards_that_compare_sizes_are_let_through(guard):
    assert is_guard(guard)
    assert not is_size(guard)


NOT_PLAIN = ["s0.x", "open(1)", "f(s0)", "[s0 for s0 in 1]", "'a;b'", "((", "s0**" * 5000 + "s0"]


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_only_arithmetic_is_a_size_or_a_guard(text):
    assert not is_size(text)
    assert not is_guard(text)


def test_a_size_of_sizes_is_arithmetic():
    size = "Add(Mul(Integer(2), Symbol('s31', positive=True, integer=True)), Integer(-1))"
    assert is_size(size)
