from dataclasses import dataclass, field

import pytest

from flows.commands.options_file import Layer, checked, joined, laid_over, meaning, read_file
from unlearning.config.limits import require_at_least
from unlearning.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    count: int = 3
    """Number of steps; at least 1. Said at length."""
    rate: float = 0.5
    """How far
    each goes."""

    def __post_init__(self):
        require_at_least("count", self.count, 1)


@dataclass(frozen=True, kw_only=True)
class Base:
    name: str
    """What it is called."""


@dataclass(frozen=True, kw_only=True)
class Options(Base):
    columns: list[str] = field(default_factory=lambda: ["features"])
    """Columns to read."""
    version: int | None = None
    """Which one."""
    steps: Steps = field(default_factory=lambda: Steps(count=10))
    """How it goes."""


def laid(*tables, absent=()):
    layers = [Layer(f"file-{i}", table) for i, table in enumerate(tables)]
    return laid_over(Options, layers, absent)


def test_what_no_layer_says_is_the_default_of_its_place():
    assert laid({"name": "a", "steps": {"rate": 2.0}}).steps == Steps(count=10, rate=2.0)


def test_a_later_layer_goes_before_an_earlier_one_key_by_key():
    found = laid(
        {"name": "a", "version": 1, "steps": {"count": 4, "rate": 1.0}},
        {"name": None, "version": 2, "steps": {"count": 5}},
    )
    assert found == Options(name="a", version=2, steps=Steps(count=5, rate=1.0))


def test_a_whole_number_is_a_number():
    assert laid({"name": "a", "steps": {"rate": 1}}).steps.rate == 1.0


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"nmae": "a"}, "file-0: there is no option nmae; is it name?"),
        ({"steps": {"kount": 1}}, "file-0: there is no option steps.kount; is it steps.count?"),
        ({"zzz": 1}, "file-0: there is no option zzz; --init writes all that there are."),
        ({"name": 3}, "file-0: name is 3, but it should be a valid string; change it there."),
        ({"steps": {"count": True}}, "file-0: steps.count is True, but it should be a valid int"),
        ({"steps": {"count": 1.5}}, "file-0: steps.count is 1.5, but it should be a valid int"),
        ({"columns": ["a", 1]}, "file-0: columns is ['a', 1], but it should be a valid string"),
        ({"steps": 4}, "file-0: steps is 4; make it a table, [steps]."),
        ({"steps": {"count": 0}}, "file-0: steps.count is 0; give at least 1."),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_and_key(table, told):
    with pytest.raises(SettingsError) as error:
        laid({"name": "a"} | table)
    assert str(error.value).startswith(told)


def test_the_layer_that_is_wrong_is_the_one_that_is_named():
    with pytest.raises(SettingsError, match=r"^file-1: steps\.count is -1"):
        laid({"name": "a", "steps": {"count": 2}}, {"steps": {"count": -1}})


def test_what_must_be_given_is_asked_for():
    with pytest.raises(SettingsError, match=r'^Name the name: .* `name = "…"` in the file'):
        laid({"version": 1})
    assert "name" not in checked(Options, [Layer("file", {"version": 1})])


def test_an_option_that_means_nothing_to_a_command_is_unknown_to_it():
    with pytest.raises(SettingsError, match=r"there is no option steps\.rate"):
        laid({"name": "a", "steps": {"rate": 1.0}}, absent={"steps.rate"})


def test_layers_are_joined_as_they_were_said():
    first = Layer("a", {"name": "a", "steps": {"count": 4, "rate": 1.0}})
    second = Layer("b", {"name": None, "steps": {"count": 5}, "version": 2})
    assert joined([first, second]) == {
        "name": "a", "steps": {"count": 5, "rate": 1.0}, "version": 2,
    }  # fmt: skip


def test_a_meaning_is_the_docstring_on_one_line_also_of_a_base_class():
    assert meaning(Steps, "rate") == "How far each goes."
    assert meaning(Options, "name") == "What it is called."


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"name = ", "is not TOML: .*end of document"),
        (b"name = 'a'\nname = 'b'\nc = 1", "is not TOML: .*line 2"),
        (b"name = '\xff'", "is not TOML: "),
    ],
)
def test_a_file_that_cannot_be_parsed_is_named_with_the_line(tmp_path, content, told):
    path = tmp_path / "model.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"model.toml {told}"):
        read_file(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml cannot be read \(No such file"):
        read_file(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match=r"cannot be read \(Is a directory"):
        read_file(tmp_path)
