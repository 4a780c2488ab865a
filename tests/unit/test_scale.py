"""What must hold at the published models' size: layer numbers, memory, released processors, pictures of any size."""

import io
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    CLIPImageProcessorPil,
    Idefics2ImageProcessorPil,
    Idefics2Processor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from manu.core.errors import UserError
from manu.core.words import MODALITIES, SETS
from manu.models import inputs
from manu.models.inputs import Example, Pictures, training_batch
from manu.models.registry import vlm_class
from manu.neurons.activations import record_activations
from manu.neurons.pooling import POOLINGS, pool_tokens
from manu.neurons.selection import layer_of, part_of
from manu.neurons.statistics.modality import ModalityStatistics, Sums
from manu.neurons.statistics.released import ReleasedStatistics
from manu.unlearning.registry import create_method

LLAVA_7B = {f"language.{i}": 11008 for i in range(32)} | {f"vision.{i}": 4096 for i in range(24)}


@pytest.mark.parametrize(
    ("name", "vision_layers", "last"), [("llava", 24, [21, 22, 23]), ("idefics2", 27, [24, 25, 26])]
)
def test_the_released_layers_by_their_numbers(name, vision_layers, last):
    """24 CLIP layers, 27 SigLIP layers, 32 decoder layers; the released code names vision 21-23 and language 29-31."""
    cls = vlm_class(name)
    sizes = {"vision_layers": vision_layers, "text_layers": 32, "vision_width": 8, "vision_mlp": 6, "vision_heads": 2}
    built = cls.build(cls.architecture_class(**sizes, text_width=8, text_mlp=6, text_heads=4), ["a b"])
    statistics = ReleasedStatistics.at(built.linear_sites())
    for tensor in statistics.tensors.values():
        tensor.uniform_()

    def pruned(**layers) -> dict[str, list[int]]:
        method = create_method("manu_released", {"prune_ratio": 50, **layers})
        masks = method.select(statistics).masks
        return {part: sorted({layer_of(s) for s in masks if part_of(s) == part}) for part in ("vision", "language")}

    assert pruned() == {"vision": last, "language": [29, 30, 31]}
    named = {"vision_layers": [21, 22, 23], "language_layers": [29, 30, 31]}
    assert pruned(**named) == {"vision": [21, 22, 23], "language": [29, 30, 31]}
    with pytest.raises(UserError, match=f"vision_layers: no layer 40; this model has 0 to {vision_layers - 1}"):
        pruned(vision_layers=[40])
    with pytest.raises(UserError, match="language_layers: 'last' is a str; needed: a list of whole numbers"):
        pruned(language_layers="last")


def kept_bytes(statistics: ModalityStatistics) -> int:
    """Bytes of all tensors that the statistics hold."""
    return sum(tensor.nbytes for tensor in statistics.tensors.values() if tensor.ndim)


def test_statistics_of_llava_7b_take_the_same_memory_after_any_number_of_samples(capsys):
    statistics = ModalityStatistics(LLAVA_7B, tau=0.1)
    sizes = [kept_bytes(statistics)]
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        for site, width in LLAVA_7B.items():
            statistics.add_values("forget", "text", site, pool_tokens(torch.randn(2, 3, width, generator=generator)))
        sizes.append(kept_bytes(statistics))
    neurons = sum(LLAVA_7B.values())
    with capsys.disabled():
        print(f"\n{neurons} neurons: {sizes[0] / 1e6:.0f} MB of sums before, {sizes[-1] / 1e6:.0f} MB after 6 samples")
    assert neurons == 450_560 and statistics.samples("forget", "text") == 6
    assert set(sizes) == {neurons * 8 * len(Sums.TENSORS) * len(SETS) * len(MODALITIES) * len(POOLINGS)}


def test_selection_among_the_neurons_of_llava_7b_is_linear_in_their_number(capsys):
    per_neuron = []
    for share in (1, 2, 4):  # a quarter, half and all of the sites
        widths = dict(list(LLAVA_7B.items())[:: 4 // share])
        statistics = ModalityStatistics(widths, tau=0.1)
        generator = torch.Generator().manual_seed(0)
        for tensor in statistics.tensors.values():
            if tensor.ndim:
                tensor.uniform_(1, 10, generator=generator)
            else:
                tensor.fill_(10)
        selection = create_method("manu", {"prune_ratio": 10}).select(statistics)
        tables = [selection.masks, selection.scores, selection.ranks, *selection.importances.values()]
        total = sum(widths.values())
        per_neuron.append(sum(tensor.nbytes for table in tables for tensor in table.values()) / total)
        with capsys.disabled():
            print(f"\n{total} neurons: {selection.pruned} pruned, {per_neuron[-1]:.0f} bytes a neuron")
        assert selection.pruned == total // 10
    assert len(set(per_neuron)) == 1 and per_neuron[0] <= 100


def test_activations_in_bfloat16_are_summed_in_float64():
    z = torch.full((1, 5000, 1), 0.1, dtype=torch.bfloat16)
    assert pool_tokens(z)["mean"].item() == pytest.approx(z[0, 0, 0].item(), rel=1e-12)  # bfloat16 sums stop growing


def sentencepiece_like(*special: str) -> PreTrainedTokenizerFast:
    """A tokenizer that writes spaces as the released ones do: every text begins with one of its own."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))  # noqa: S106 (a token)
    spaces = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.normalizer = spaces
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    reserved = ["<unk>", "<s>", "</s>", "<pad>", *special, *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=reserved, show_progress=False)
    texts = ["USER: What is it? ASSISTANT: It is Paris.", "User: Assistant: A: tea B: milk"]
    tokenizer.train_from_iterator(texts * 5, trainer)
    tokenizer.pre_tokenizer = None
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    words = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(words)
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, additional_special_tokens=list(special), **names)


def released(name: str):
    """An adapter without a model, its processor set as that of the released checkpoint."""
    if name == "llava":
        images = CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
        given = {"patch_size": 14, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
        processor = LlavaProcessor(images, sentencepiece_like("<image>"), **given)
        return vlm_class(name)(SimpleNamespace(config=SimpleNamespace(image_seq_length=576)), processor)
    tokenizer = sentencepiece_like("<fake_token_around_image>", "<image>", "<end_of_utterance>")
    images = Idefics2ImageProcessorPil(size={"longest_edge": 980, "shortest_edge": 378}, do_image_splitting=False)
    return vlm_class(name)(None, Idefics2Processor(images, tokenizer, image_seq_len=64))


@pytest.mark.parametrize(("name", "places"), [("llava", 576), ("idefics2", 64)])
def test_prompts_and_answers_are_the_released_processors(name, places):
    vlm = released(name)
    image = Image.new("RGB", (400, 300), (90, 20, 60))
    for system in (None, "Say nothing."):
        layout = vlm.layout("What is it?", True, system)
        prompt = vlm.prompt_ids("What is it?", True, system)
        assert prompt == vlm.processor(images=[image], text=[layout])["input_ids"][0]
        assert prompt.count(vlm.tokenizer.convert_tokens_to_ids("<image>")) == places
        for answer in ("It is Paris.", "Paris", "(tea)"):
            whole = vlm.tokenizer(vlm.expand_images(f"{layout} {answer}"))["input_ids"]
            assert prompt + vlm.answer_ids(answer) == [*whole, vlm.end_token]
    alone = vlm.tokenizer(" Paris", add_special_tokens=False)["input_ids"]
    assert alone != vlm.continued_ids(" Paris")  # where the naive way goes wrong


def picture(width: int, height: int, seed: int) -> bytes:
    noise = torch.randint(0, 255, (height, width, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    file = io.BytesIO()
    Image.fromarray(noise.numpy()).save(file, "PNG")
    return file.getvalue()


PADDING = pytest.mark.parametrize("vlm", ["idefics2"], indirect=True)  # pads pictures to each other's size


@pytest.fixture
def idefics2(vlm):
    vlm.processor.image_processor.size = {"longest_edge": 64, "shortest_edge": 32}
    return vlm


@PADDING
def test_padding_of_a_smaller_picture_counts_nowhere(idefics2):
    pictures = Pictures(idefics2)
    rows = [pictures.add(picture(*size, seed=seed), "x") for seed, size in enumerate([(32, 32), (64, 32)])]
    prompt = idefics2.prompt_ids("What?", True)

    def pooled(rows: list[int]) -> dict[str, torch.Tensor]:
        table, found = Pictures(idefics2), {}
        for row in rows:
            table.add(list(pictures._rows)[row], "x")
        answer = idefics2.answer_ids("No.")
        batch = training_batch(idefics2, [Example(prompt, answer, i) for i in range(len(rows))], table)
        mask = idefics2.vision_mask(batch)
        sites = [site for site in idefics2.mlp_sites() if site.part == "vision"]

        def listen(site, z):
            found[site.name] = pool_tokens(z, mask)["mean"][0]

        with torch.no_grad(), record_activations(sites, listen):
            idefics2.model(**{key: value for key, value in batch.items() if key != "labels"})
        return found

    alone, beside = pooled(rows[:1]), pooled(rows)
    assert all(torch.allclose(alone[site], beside[site], atol=1e-5) for site in alone)
    one = Pictures(idefics2)
    one.add(next(iter(pictures._rows)), "x")
    assert idefics2.vision_mask(one.pixels([0])).tolist() == [[True] * 4]
    assert idefics2.vision_mask(pictures.pixels(rows)).sum(1).tolist() == [4, 8]


@PADDING
@pytest.mark.parametrize("sizes", [[(50, 40), (33, 64)], [(64, 64), (41, 57)]])
def test_vision_tokens_are_those_that_the_model_itself_takes(sizes, idefics2):
    pictures = Pictures(idefics2)
    rows = [pictures.add(picture(*size, seed=seed), "x") for seed, size in enumerate(sizes)]
    prompt, answer = idefics2.prompt_ids("What?", True), idefics2.answer_ids("No.")
    batch = training_batch(idefics2, [Example(prompt, answer, row) for row in rows], pictures)
    taken = []

    def listen(module, args, kwargs):
        taken.append(kwargs["patch_attention_mask"].flatten(1))

    hook = idefics2.model.model.vision_model.register_forward_pre_hook(listen, with_kwargs=True)
    with torch.no_grad():
        idefics2.model(**{key: value for key, value in batch.items() if key != "labels"})
    hook.remove()
    assert torch.equal(idefics2.vision_mask(batch), taken[0])
    assert not taken[0].all()  # a part of the picture's edge or of the batch is padding


@PADDING
def test_splitting_is_off_whatever_the_checkpoint_says(idefics2, tmp_path):
    idefics2.processor.image_processor.do_image_splitting = True
    idefics2.save(tmp_path / "checkpoint")
    loaded = type(idefics2).load(tmp_path / "checkpoint")
    assert loaded.processor.image_processor.do_image_splitting is False
    assert loaded.pixels([Image.new("RGB", (32, 32))])["pixel_values"].shape[:2] == (1, 1)


def test_many_pictures_are_processed_batch_by_batch(vlm, monkeypatch):
    kept, streamed = Pictures(vlm), Pictures(vlm)
    for table in (kept, streamed):
        rows = [table.add(picture(32, 32, seed), "x") for seed in range(4)]
    asked = [rows[2], rows[0], rows[2]]
    expected = kept.pixels(asked)
    monkeypatch.setattr(inputs, "KEPT", 3 * sum(each[0].nbytes for each in expected.values()))
    assert all(torch.equal(each, expected[name]) for name, each in streamed.pixels(asked).items())
    assert streamed._pixels is None and kept._pixels is not None
