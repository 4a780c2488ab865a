"""What holds for any numbers and any text: importance, selection, masks, scoring and readers under hypothesis.

The examples are the same on every run (`derandomize`).
"""

import math
import tempfile
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from manu.core.errors import UserError
from manu.core.words import MODALITIES, SETS
from manu.data.parquet import read_rows, write_config
from manu.evaluation.asking import letter_choice, up_to_value
from manu.evaluation.scoring import (
    bleu,
    classification_correct,
    cloze_correct,
    normalised,
    rouge,
    rouge_reads,
    score_answers,
)
from manu.neurons.importance import FUNCTIONS, importance, score
from manu.neurons.masks import Mask, load_mask, save_mask
from manu.neurons.pooling import pool_tokens
from manu.neurons.selection import MLP_INPUT, random_selection, select_top
from manu.neurons.statistics.modality import ModalityStatistics

settings.register_profile("same", derandomize=True, deadline=None, max_examples=40, database=None)
settings.load_profile("same")

WIDTH = 3
activations = hnp.arrays(
    "float32", st.tuples(st.integers(2, 6), st.just(2), st.just(WIDTH)), elements=st.floats(-1e3, 1e3, width=32)
)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\x00"), max_size=30)


def statistics_of(groups: dict, order: slice = slice(None), cut: int | None = None) -> ModalityStatistics:
    """The statistics of activations by (set, modality): in this order of samples, as one batch or cut into two."""
    statistics = ModalityStatistics({"language.0": WIDTH}, tau=1.0)
    for (data_set, modality), z in groups.items():
        samples = torch.from_numpy(z.copy())[list(range(len(z)))[order]]
        for part in (samples[:cut], samples[cut:]) if cut else (samples,):
            statistics.add_values(data_set, modality, "language.0", pool_tokens(part))
    return statistics


measured = st.fixed_dictionaries({(data_set, modality): activations for data_set in SETS for modality in MODALITIES})


@given(measured)
def test_importance_is_finite_and_never_below_zero(groups):
    statistics = statistics_of(groups)
    found = {data_set: importance(statistics, data_set, tuple(FUNCTIONS)) for data_set in SETS}
    assert all((each["language.0"] >= 0).all() for each in found.values())
    scores = score(found["forget"], found["retain"])["language.0"]
    assert scores.isfinite().all() and (scores >= 0).all()


@given(measured, st.sampled_from(list(FUNCTIONS)), st.integers(1, 5))
def test_importance_knows_neither_the_order_of_samples_nor_the_batches(groups, function, cut):
    whole, back, cut_in_two = (
        statistics_of(groups),
        statistics_of(groups, slice(None, None, -1)),
        statistics_of(groups, cut=cut),
    )
    for data_set in SETS:
        expected = importance(whole, data_set, (function,))["language.0"]
        for other in (back, cut_in_two):
            torch.testing.assert_close(
                importance(other, data_set, (function,))["language.0"], expected, rtol=1e-6, atol=1e-3
            )


@given(measured)
def test_equal_behaviour_in_both_modalities_is_no_contrast(groups):
    same = {(data_set, modality): groups[data_set, MODALITIES[0]] for data_set in SETS for modality in MODALITIES}
    for function in ("abs", "freq"):
        assert (importance(statistics_of(same), "forget", (function,))["language.0"] == 0).all()


sites = st.dictionaries(
    st.builds("{}.{}".format, st.sampled_from(["language", "vision"]), st.integers(0, 4)),
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 1e9]) | st.floats(0, 1e6), min_size=1, max_size=12),
    min_size=1,
)


@given(sites, st.floats(0.1, 100), st.sampled_from(["global", "part", "layer"]))
def test_the_selection_has_its_number_and_no_kept_unit_scores_higher(scores, ratio, ranking):
    tensors = {site: torch.tensor(values, dtype=torch.float64) for site, values in scores.items()}
    group_of = {"global": lambda site: "", "part": lambda site: site.split(".")[0], "layer": lambda site: site}[ranking]
    groups: dict[str, list[str]] = {}
    for site in tensors:
        groups.setdefault(group_of(site), []).append(site)
    wanted = {
        name: math.floor(Fraction(ratio) / 100 * sum(len(tensors[site]) for site in inside))
        for name, inside in groups.items()
    }
    if not any(wanted.values()):
        with pytest.raises(UserError):
            select_top(tensors, ratio, ranking)
        return
    selection = select_top(tensors, ratio, ranking)
    again = select_top(tensors, ratio, ranking)
    assert all(torch.equal(mask, again.masks[site]) for site, mask in selection.masks.items())
    for name, inside in groups.items():
        gone = torch.cat([tensors[site][selection.masks[site]] for site in inside])
        kept = torch.cat([tensors[site][~selection.masks[site]] for site in inside])
        assert len(gone) == wanted[name]
        assert not len(gone) or not len(kept) or gone.min() >= kept.max()
        ranks = torch.cat([selection.ranks[site] for site in inside])
        assert sorted(ranks.tolist()) == list(range(1, len(ranks) + 1))


@given(
    st.dictionaries(st.sampled_from(["language.0", "vision.1"]), st.integers(5, 20), min_size=1),
    st.integers(10, 100),
    st.integers(0, 99),
)
def test_random_units_are_as_many_and_the_same_for_a_seed(widths, ratio, seed):
    if math.floor(Fraction(ratio) / 100 * sum(widths.values())) == 0:
        return
    one, other = (random_selection(widths, ratio, seed) for _ in range(2))
    assert one.pruned == math.floor(Fraction(ratio) / 100 * sum(widths.values()))
    assert all(torch.equal(one.masks[site], other.masks[site]) for site in widths)


@given(
    st.dictionaries(
        st.sampled_from(["vision.0", "language.1", "language.0"]), st.lists(st.booleans(), min_size=1), min_size=1
    ),
    st.floats(0, 0.99),
)
def test_a_mask_is_read_as_it_was_written(masks, factor):
    mask = Mask({site: torch.tensor(values) for site, values in masks.items()}, MLP_INPUT, factor)
    with tempfile.TemporaryDirectory() as folder:
        save_mask(Path(folder) / "mask.safetensors", mask)
        again = load_mask(Path(folder) / "mask.safetensors")
    assert list(again.masks) == list(mask.masks) and (again.unit, again.factor) == (mask.unit, mask.factor)
    assert all(torch.equal(again.masks[site], each) for site, each in mask.masks.items())


@given(words, words)
def test_scores_of_any_text_lie_between_nothing_and_all(reply, reference):
    measures = [bleu(reply, reference), classification_correct(reply, reference)]
    measures += rouge(reply, reference).values() if rouge_reads(reference) else ()
    assert all(0 <= value <= 1 + 1e-12 for value in measures)
    assert classification_correct(reference, reference) == float(reference != "")
    if reference.strip():
        assert cloze_correct(f"{reply} {reference}", reference) == 1
        assert cloze_correct(reply, reference) == float(normalised(reference).lower() in normalised(reply).lower())
    else:
        with pytest.raises(ValueError, match="empty"):
            cloze_correct(reply, reference)


@given(
    st.lists(
        st.tuples(st.sampled_from(["classification", "cloze", "generation"]), words, words.filter(rouge_reads)),
        min_size=1,
        max_size=6,
    )
)
def test_scoring_twice_gives_the_same_and_leaves_what_was_there(rows):
    frame = pd.DataFrame(
        [{"task": task, "reference": reference, "reply": reply, "choice": reply} for task, reply, reference in rows]
    )
    once = score_answers(frame)
    pd.testing.assert_frame_equal(score_answers(once), once)
    pd.testing.assert_frame_equal(once[list(frame.columns)], frame)


@given(st.lists(st.integers(0, 9), max_size=12), st.lists(st.integers(0, 9), min_size=1, max_size=3))
def test_what_stands_before_a_value_ends_with_the_marker_or_is_all(reply, marker):
    found = up_to_value(reply, marker)
    assert found == reply[: len(found)]
    assert found == reply or found[-len(marker) :] == marker


@given(words, st.dictionaries(st.sampled_from("ABCD"), words.filter(bool), min_size=1))
def test_a_letter_chooses_its_option_or_none(reply, options):
    assert letter_choice(reply, options) in {*options.values(), ""}


@given(st.lists(st.tuples(words, st.lists(words, max_size=3)), min_size=1, max_size=5))
def test_rows_are_read_as_they_were_written(rows):
    schema = pa.schema([("ID", pa.string()), ("options", pa.list_(pa.string()))])
    written = [{"ID": name, "options": options} for name, options in rows]
    with tempfile.TemporaryDirectory() as folder:
        write_config(Path(folder), "Some_Set", written, schema)
        assert [dict(row) for row in read_rows(Path(folder), "Some_Set", schema.names)] == written
