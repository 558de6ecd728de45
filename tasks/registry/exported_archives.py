"""Archives of exported models, looked through before torch gives their strings to Python.

`torch.export.load` evaluates some of what stands in an archive: sympy evaluates the sizes, `exec`
runs the guards, names become part of generated code, and a node calls whatever its target names.
So each string must have the form that `torch.export.save` gives it.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from unlearning.errors import UnsupportedModelError

_RECORD = re.compile(
    r"models/model\.json|data/sample_inputs/model\.pt"
    r"|data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|archive_format|archive_version|byteorder|version|\.data/\w+|\.format_version"
)
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|torchvision)\.\w+(\.\w+)?"
    r"|torch\.ops\.higher_order\.(wrap_with_set_grad_enabled|wrap_with_autocast|cond|while_loop"
    r"|map_impl|scan|associative_scan|flex_attention)"
    r"|_operator\.(eq|ne|le|ge|lt|gt|neg|pos|mul|add|sub|floordiv|mod|pow|truediv|and_|or_|lshift"
    r"|rshift|not_|abs|getitem)"
    r"|torch\.sym_(not|int|float|ite|max|min|sqrt|sum)|torch\._sym_sqrt|math\.(trunc|ceil|floor)"
    r"|torch\._C\._set_grad_enabled|torch\.amp\.autocast_mode\._(enter|exit)_autocast"
)
_OUTSIDE = re.compile(r"torch\.ops\.aten\.(from_file|save|warn|_print)(\..*)?")
"""Operators that read, write or say something."""
_WORD = re.compile(r"\w*", re.ASCII)
_NAME = re.compile(r"[\w.@/ -]*", re.ASCII)
_TEXT = re.compile(r"[\w\s.,:;<>=+*/-]*", re.ASCII)
_EXPRESSION = re.compile(r"[\w\s.,()\[\]'<>=!+*/%&|~-]{0,9999}", re.ASCII)
_SYMBOL = re.compile(r"[a-z]{1,4}\d+|true|false|oo|int_oo|inf", re.ASCII)
_FUNCTION = re.compile(
    "Symbol|Integer|Float|Rational|Add|Mul|Pow|Max|Min|Mod|Abs|And|Or|Not|Eq|Ne|Lt|Le|Gt|Ge"
    "|Equality|Unequality|(Strict)?(Less|Greater)Than|floor|ceiling|Piecewise|ExprCondPair"
    "|FloorDiv|ModularIndexing|Where|PythonMod|(Clean|Ceil|IntTrue|FloatTrue)Div|(L|R)Shift"
    "|(Ceil|Floor|Trunc|Round)ToInt|TruncToFloat|ToFloat|RoundDecimal|FloatPow|PowByNatural"
    "|Identity|IsNonOverlappingAndDenseIndicator"
)
_ARITHMETIC = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.keyword, ast.Load),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)
_IN_GUARDS = frozenset(("size", "stride", "storage_offset", "isnan", "inf", "nan"))
_UNREAD = frozenset(
    ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "custom", "from_node")
)
"""Notes on where a node came from; torch parses them and runs nothing of them."""


def refuse_code(file: Path, name: str) -> None:
    """Refuse an archive of which a string could be run; `name` says in errors which model it is.

    Cost: one pass over its JSON records; its weights are not read.

    Raises:
        UnsupportedModelError: it holds such a string, or a record that exported models have not.
        RuntimeError: torch cannot read the archive.
    """
    found = next(_foreign(file), None)
    if found is not None:
        raise UnsupportedModelError(
            f"{name} is exported with {found}, which could run as code when it is loaded; log it "
            "again in MLflow's pt2 form with operators of torch alone, or enrol it with "
            "--trust-code if you trust whoever made it."
        )


def _foreign(file: Path) -> Iterator[str]:
    """What in it has a form that `torch.export.save` does not give."""
    from torch.export.pt2_archive._package import PT2ArchiveReader

    with ZipFile(file) as archive:
        names = archive.namelist()
    if "version" in names:
        yield "an old release of torch, whose archives cannot be looked through"
    with PT2ArchiveReader(str(file)) as reader:
        records = list(reader.get_file_names())
        # Two readers, one content: torch falls back on the other one where the first gives up.
        if sorted(name.partition("/")[2] for name in names) != sorted(records):
            yield "records that not every reader sees"
        if len({name.lower() for name in names}) < len(names):
            yield "two records of one name"
        yield from (f"the record {_short(one)}" for one in records if not _RECORD.fullmatch(one))
        for record in records:
            if record.endswith(".json"):
                yield from _in(json.loads(reader.read_bytes(record)))


def _in(value: Any, key: str = "") -> Iterator[str]:
    """What is foreign in a part of the JSON, whose strings mean what the key above them says."""
    if isinstance(value, dict):
        for name, part in value.items():
            if not _NAME.fullmatch(name):
                yield f"the name {_short(name)}"
            yield from _in(part, name)
    elif isinstance(value, list):
        yield from chain.from_iterable(_in(part, key) for part in value)
    elif isinstance(value, str) and not _is_plain(value, key):
        yield f"{_short(value)} as its {key}"


def _is_plain(text: str, key: str) -> bool:
    """Whether a string that stands under this key is of the form that it has to have."""
    if key in _UNREAD:
        return True
    if key in ("target", "as_operator"):
        return bool(_OPERATOR.fullmatch(text)) and not _OUTSIDE.fullmatch(text)
    look = _LOOKS.get(key)
    return bool(look(text) if look else _NAME.fullmatch(text))


def is_size(text: str) -> bool:
    """Whether it is one expression of numbers, symbols and known functions."""
    return _is_of(text, lambda node: _is_arithmetic(node) or _is_name(node))


def is_guard(text: str) -> bool:
    """Whether it is one such expression over the sizes of inputs."""

    def is_known(node: ast.AST) -> bool:
        match node:
            case ast.Name(id="L" | "math") | ast.Subscript():
                return True
            case ast.Attribute():
                return node.attr in _IN_GUARDS
            case _:
                return _is_arithmetic(node) or _is_name(node)

    return _is_of(text, is_known)


def _is_of(text: str, is_known: Callable[[ast.AST], bool]) -> bool:
    if not _EXPRESSION.fullmatch(text):
        return False
    try:
        parsed = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(is_known(node) for node in ast.walk(parsed))


def _is_arithmetic(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        is_word = isinstance(node.value, str) and bool(_WORD.fullmatch(node.value))
        return is_word or isinstance(node.value, int | float)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name | ast.Attribute)
    return isinstance(node, _ARITHMETIC)


def _is_name(node: ast.AST) -> bool:
    name = node.id if isinstance(node, ast.Name) else ""
    return bool(_FUNCTION.fullmatch(name) or _SYMBOL.fullmatch(name))


def _is_structure(text: str) -> bool:
    """Whether it describes how tuples, lists and dicts of words lie in each other."""
    try:
        _, tree = json.loads(text)
        return _is_tree(tree)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _is_tree(tree: Any) -> bool:
    context = json.loads(tree["context"] or "null")
    words = [] if context is None else context
    if not isinstance(words, list) or not all(_is_word(one) for one in words):
        return False
    kind = tree["type"] or ""
    return bool(_NAME.fullmatch(kind)) and all(_is_tree(one) for one in tree["children_spec"])


def _is_word(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and bool(_WORD.fullmatch(value)))


_LOOKS: Mapping[str, Callable[[str], object]] = {
    "expr_str": is_size,
    "guards_code": is_guard,
    **dict.fromkeys(("in_spec", "out_spec"), _is_structure),
    **dict.fromkeys(("name", "as_name", "forward_arg_names", "field_names"), _WORD.fullmatch),
    **dict.fromkeys(("as_string", "as_strings", "torch_version"), _TEXT.fullmatch),
}
"""What a string must look like, by the key above it; others are names."""


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")  # noqa: PLR2004 - a sentence's worth
