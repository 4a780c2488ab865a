"""The reader on files in the real benchmark's schema, written here row by row, and on broken ones."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from manu.core.errors import UserError
from manu.data import mllmu


def picture(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, format="JPEG")
    return buffer.getvalue()


OPTIONS = {"A": "Lisbon", "B": "Bonn", "C": "Turin", "D": "Graz"}
ROW = {
    "image": {"bytes": picture("red"), "path": None},
    "ID": "7",
    "biography": json.dumps({"Name": "Ada Lund", "Born": "1980"}),
    "question": "Who?",
    "answer": "Ada Lund.",
    "Classification_Task": {
        "Image_Textual_Questions": [
            {"Question": "Where does this person live?", "Options": OPTIONS, "Correct_Answer": "C"}
        ],
        "Pure_Text_Questions": [{"Question": "Where does Ada live?", "Options": OPTIONS, "Correct_Answer": "A"}],
    },
    "Generation_Task": [
        {"Type": "Image_Textual", "Question": "What is their job?", "Ground_Truth": "Baker."},
        {"Type": "Pure_Text", "Question": "What is Ada's job?", "Ground_Truth": "Baker."},
    ],
    "Mask_Task": [{"Type": "Pure_Text", "Question": "Ada lives in __.", "Ground_Truth": "Turin"}],
}


def write(folder, config, rows):
    """As the hub stores it: types inferred from the rows, several shards allowed."""
    (folder / config).mkdir(parents=True)
    for shard, row in enumerate(rows):
        file = folder / config / f"train-{shard:05d}-of-{len(rows):05d}.parquet"
        pq.write_table(pa.Table.from_pylist([row]), file)


def test_reads_profiles_of_the_real_schema(tmp_path):
    write(tmp_path, "forget_5", [ROW, {**ROW, "ID": "8"}])
    first, second = mllmu.read_profiles(tmp_path, "forget_5")
    assert (first.id, second.id, first.image) == ("7", "8", picture("red"))
    found = [(q.modality, q.task, q.number, q.text, q.answer) for q in first.questions]
    assert found == [
        ("multimodal", "classification", 0, "Where does this person live?", "Turin"),
        ("text", "classification", 0, "Where does Ada live?", "Lisbon"),
        ("text", "cloze", 0, "Ada lives in __.", "Turin"),
        ("multimodal", "generation", 0, "What is their job?", "Baker."),
        ("text", "generation", 0, "What is Ada's job?", "Baker."),
    ]
    assert first.questions[0].options == OPTIONS
    assert mllmu.read_names(tmp_path, "forget_5") == {"7": "Ada Lund", "8": "Ada Lund"}


def test_the_published_test_set_has_a_list_of_images_and_nothing_about_the_person(tmp_path):
    row = {k: v for k, v in ROW.items() if k not in ("image", "biography", "question", "answer")}
    pictures = [{"bytes": picture(c), "path": None} for c in ("blue", "green")]
    write(tmp_path, "Test_Set", [{"images": pictures, **row}])
    assert mllmu.read_profiles(tmp_path, "Test_Set")[0].image == picture("blue")


def test_reads_training_rows(tmp_path):
    metadata = json.dumps([{"Question": "Who is this person?", "Answer": "Ada."}])
    write(tmp_path, "ft_Data", [{"image": ROW["image"], "ID": "7", "metadata": metadata}])
    assert mllmu.read_training_data(tmp_path)[0].pairs == (("Who is this person?", "Ada."),)


def test_incomplete_items_of_training_data_are_left_out_and_counted(tmp_path, caplog):
    items = [
        {
            "Question": "Who is this person?",
            "Answer": "Ada.",
            "Additional_question": "Who?",
            "Additional_answer": "Ada.",
        },
        {"Additional_question": "What is the job?", "Additional_answer": "Baker."},
        {"Question": "What is the pet?", "Answer": " "},
        {"Question": "What is the dish?", "Answer": None},
    ]
    write(tmp_path, "ft_Data", [{"image": ROW["image"], "ID": "7", "metadata": json.dumps(items)}])
    assert mllmu.read_training_data(tmp_path)[0].pairs == (("Who is this person?", "Ada."),)
    assert "3 items lack a question or an answer and are left out; 1 are taken" in caplog.text


def choices(*answers, options=OPTIONS):
    """Classification questions with these correct answers."""
    asked = [{"Question": "Where?", "Options": options, "Correct_Answer": answer} for answer in answers]
    return {"Image_Textual_Questions": asked, "Pure_Text_Questions": []}


def test_a_correct_answer_in_other_words_is_its_letter(tmp_path):
    answers = ("C", "c", " C ", "C. Turin", "(C) Turin", "C) Turin", "C: Turin", "Option C", "Turin", "turin.")
    write(tmp_path, "Full_Set", [{**ROW, "Classification_Task": choices(*answers)}])
    asked = mllmu.read_profiles(tmp_path, "Full_Set")[0].questions
    assert [q.answer for q in asked if q.task == "classification"] == ["Turin"] * len(answers)


def test_a_letter_is_a_letter_even_where_an_option_reads_like_one(tmp_path):
    blood = {"A": "B", "B": "A", "C": "AB", "D": "0"}
    write(tmp_path, "Full_Set", [{**ROW, "Classification_Task": choices("A", "AB", options=blood)}])
    asked = mllmu.read_profiles(tmp_path, "Full_Set")[0].questions
    assert [q.answer for q in asked if q.task == "classification"] == ["B", "AB"]


def test_a_few_questions_that_cannot_be_used_are_left_out_and_named(tmp_path, caplog):
    right = ["A"] * 299
    write(tmp_path, "Full_Set", [{**ROW, "Classification_Task": choices("E", *right, "Rome", *right, None)}])
    asked = [q for q in mllmu.read_profiles(tmp_path, "Full_Set")[0].questions if q.task == "classification"]
    assert [q.number for q in asked] == [*range(1, 300), *range(301, 600)]  # numbered as the file has them
    told = [line.split(";")[0] for line in mllmu.left_out(tmp_path, "Full_Set")]
    place = "Full_Set, ID 7, multimodal classification question"
    assert told == [f"{place} {k}: Correct_Answer is {a!r}" for k, a in ((0, "E"), (300, "Rome"), (600, None))]
    assert f"Full_Set: 3 of 604 questions cannot be used, such as {told[0]}" in caplog.text


def test_many_questions_that_cannot_be_used_stop_the_study(tmp_path):
    write(tmp_path, "Full_Set", [{**ROW, "Classification_Task": choices(*["A"] * 95, *["E"] * 2)}])
    with pytest.raises(UserError, match="2 of 100 questions cannot be used, such as .*needed: at most 1% such"):
        mllmu.read_profiles(tmp_path, "Full_Set")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ID": "8"}, None),
        ({}, "ID 7 more than once"),
        ({"ID": "8", "Mask_Task": [{"Type": "Spoken", "Question": "x", "Ground_Truth": "y"}]}, "known: Image_Textual"),
        (
            {
                "ID": "8",
                "Classification_Task": {
                    "Image_Textual_Questions": [{"Question": "x", "Options": OPTIONS, "Correct_Answer": "E"}],
                    "Pure_Text_Questions": [],
                },
            },
            "Correct_Answer is 'E'",
        ),
    ],
)
def test_broken_rows_are_named(tmp_path, change, message):
    write(tmp_path, "Full_Set", [ROW, {**ROW, **change}])
    if message is None:
        assert len(mllmu.read_profiles(tmp_path, "Full_Set")) == 2
    else:
        with pytest.raises(UserError, match=message):
            mllmu.read_profiles(tmp_path, "Full_Set")


def test_missing_column_missing_folder_and_garbage(tmp_path):
    write(tmp_path, "Full_Set", [{k: v for k, v in ROW.items() if k != "Mask_Task"}])
    with pytest.raises(UserError, match="column 'Mask_Task' is missing"):
        mllmu.read_profiles(tmp_path, "Full_Set")
    with pytest.raises(UserError, match="no parquet file in forget_5"):
        mllmu.read_profiles(tmp_path, "forget_5")
    (tmp_path / "forget_5").mkdir()
    (tmp_path / "forget_5" / "a.parquet").write_text("no parquet")
    with pytest.raises(UserError, match="not a readable parquet file"):
        mllmu.read_profiles(tmp_path, "forget_5")
