"""Words of ours in MLflow, written anew wherever they stand."""

from pathlib import Path

from tasks.registry import rewriting
from tasks.registry.mlflow_registry import AUDIT_EXPERIMENT
from tasks.registry.rewriting import rewrite_texts


def test_tags_notes_and_text_files_of_every_run_and_version_are_written_anew(made, monkeypatch):
    monkeypatch.setattr(rewriting, "_PAGE", 1)
    registry, client = made.services.registry, made.client
    runs = [registry.ensure_run(AUDIT_EXPERIMENT, f"audit/{n}", "of old") for n in range(2)]
    for run in runs:
        client.set_tag(run, "mlflow.note.content", "an old note")
        client.log_text(run, "old", "events.json")
        client.log_text(run, "old", "picture.svg")
    client.delete_run(runs[1])
    registry.tag_version("income", 1, {"told": "old"})
    rewrite_texts(registry, lambda text: text.replace("old", "new"))
    assert registry.version_tags("income", 1)["told"] == "new"
    assert client.get_run(runs[0]).data.tags["mlflow.note.content"] == "an new note"
    assert client.get_run(runs[0]).info.run_name == "of new"
    place = client.get_run(runs[0]).info.artifact_uri
    for run in runs:
        folder = Path(place.replace(runs[0], run).removeprefix("file://"))
        found = [(folder / name).read_text() for name in ("events.json", "picture.svg")]
        assert found == ["new", "old"]
