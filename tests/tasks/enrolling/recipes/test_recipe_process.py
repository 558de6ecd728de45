"""The program itself, run as any Python would run it, without expunge in reach."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
from recipes_of_owners import said

from tasks.enrolling.recipes import recipe_process


def run(folder, code, rows):
    (folder / "recipe.py").write_bytes(code)
    with (
        pa.OSFile(str(folder / "rows.arrow"), "wb") as file,
        pa.ipc.new_file(file, rows.schema) as writer,
    ):
        writer.write_table(rows)
    program = folder / "run.py"
    program.write_text(Path(recipe_process.__file__).read_text())
    subprocess.run([sys.executable, "-B", str(program), "5"], cwd=folder, env={}, check=True)
    return json.loads((folder / "said.json").read_text())


def test_rows_and_seed_arrive_as_they_are(tmp_path):
    rows = pa.table({"age": pa.array([3, 5], pa.int16()), "label": [0, 1]})
    checks = "assert rows['age'].type == 'int16', rows\nassert rows['age'].to_pylist() == [3, 5]\n"
    code = said(
        f"{checks}assert (seed, init) == (5, None)\nimport torch\nreturn {{'a': torch.ones(1)}}"
    )
    assert run(tmp_path, code, rows)["outcome"] == "trained"
    assert (tmp_path / "state.safetensors").exists()


def test_an_error_is_told_by_kind_and_line_alone(tmp_path):
    told = run(tmp_path, said("raise KeyError(rows['age'])"), pa.table({"age": [12345]}))
    assert told == {"outcome": "raised", "what": "KeyError", "line": 2}
