"""What a worker says of errors names kinds and lines, and nothing of a row."""

from tasks.registry.confined.worker_process import failure


def raised(text, name):
    try:
        exec(compile(text, name, "exec"))  # noqa: S102
    except Exception as error:  # noqa: BLE001
        return failure(error, "hook.py")
    return None


def test_the_last_line_of_the_owner_s_file_is_named():
    assert raised("x = 1\nint('a row')", "/a/hook.py") == {
        "outcome": "raised",
        "what": "ValueError",
        "line": 2,
    }


def test_an_error_elsewhere_has_no_line():
    assert raised("int('a row')", "/a/library.py")["line"] is None


def test_a_mistake_in_its_grammar_has_its_line():
    assert raised("x = 1\nx = = 2", "/a/hook.py")["line"] == 2
