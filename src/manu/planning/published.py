"""Published sizes, for a plan made before anything is fetched: two checkpoints and two benchmarks."""

from typing import Any

from manu.data.profiles import MULTIMODAL, TEXT

# Of each model's released config.json what differs from the defaults of its transformers class. They were written down
# without a copy of the files at hand; built from them, the models have 7,063,427,072 and 8,402,768,112 parameters and
# the neurons and adapters that docs/scale.md states. A config.json that is here comes first. `picture_tokens`: what
# stands in a prompt for a picture, without crops; `stored_bytes`: of a number in the released files.
CHECKPOINTS: dict[str, dict[str, Any]] = {
    "llava": {
        "source": "config.json of llava-hf/llava-1.5-7b-hf",
        "text_config": {"model_type": "llama", "max_position_embeddings": 4096, "vocab_size": 32064},
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": 1024,
            "image_size": 336,
            "intermediate_size": 4096,
            "num_attention_heads": 16,
            "num_hidden_layers": 24,
            "patch_size": 14,
            "projection_dim": 768,
        },
        "picture_tokens": 576,
        "stored_bytes": 2,
    },
    "idefics2": {
        "source": "config.json of HuggingFaceM4/idefics2-8b",
        "text_config": {"model_type": "mistral", "max_position_embeddings": 32768, "vocab_size": 32003},
        "vision_config": {
            "model_type": "idefics2",
            "hidden_size": 1152,
            "image_size": 980,
            "intermediate_size": 4304,
            "num_attention_heads": 16,
            "num_hidden_layers": 27,
            "patch_size": 14,
        },
        "perceiver_config": {
            "model_type": "idefics2",
            "hidden_size": 4096,
            "resampler_depth": 3,
            "resampler_head_dim": 96,
            "resampler_n_heads": 16,
            "resampler_n_latents": 64,
            "num_key_value_heads": 4,
        },
        "picture_tokens": 66,
        "stored_bytes": 4,
    },
}

# MLLMU-Bench (Liu et al. 2024, the dataset's card). Published: the number of people, and for each about 5 + 5
# classification, 2 + 2 cloze and 2 + 2 generation questions. Assumed, as not published: the number of training pairs of
# a person in ft_Data (9 in each modality, as many as there are questions), all lengths in tokens of a Llama tokenizer,
# and the bytes of a picture.
# `lessons`: pairs of a person, tokens of a question and of its answer; `questions`: of a person, tokens of the prompt
# and of an option (or of a generated answer); `general`: of a picture; `faces`: number of people with as many questions
# as the celebrities have together; `pictures`: of all configurations (Full_Set, ft_Data, Test_Set, celebrities, and the
# three splits).
MLLMU_BENCH: dict[str, Any] = {
    "source": "MLLMU-Bench",
    "people": 500,
    "faces": 153,
    "lessons": {MULTIMODAL: (9, 30, 25), TEXT: (9, 30, 25)},
    "questions": {
        (modality, task): asked
        for modality in (MULTIMODAL, TEXT)
        for task, asked in (("classification", (5, 75, 3)), ("cloze", (2, 45, 0)), ("generation", (2, 35, 25)))
    },
    "world": 0,
    "general": (0, 0, 0),
    "name": 4,  # tokens
    "pictures": 3153,
    "picture_bytes": 1e6,
}

# CLEAR (Dontsov et al. 2024, the dataset's card). Published: the number of people, their 3,768 captioned pictures,
# TOFU's twenty questions about each, 151 faces and 367 pictures of the world. Assumed: all lengths and the bytes of a
# picture. There is one question about a face, and about a person two for each picture and twenty in text.
CLEAR: dict[str, Any] = {
    "source": "CLEAR",
    "people": 200,
    "faces": 3,
    "lessons": {MULTIMODAL: (18.84, 10, 50), TEXT: (20, 25, 60)},
    "questions": {
        (MULTIMODAL, "classification"): (18.84, 60, 5),
        (MULTIMODAL, "generation"): (18.84, 20, 50),
        (TEXT, "generation"): (20, 35, 60),
    },
    "world": 367,
    "general": (1, 60, 5),
    "name": 5,
    "pictures": 27000,  # each set of people has its pictures twice or three times
    "picture_bytes": 4e5,
}
BENCHMARKS = {"mllmu": MLLMU_BENCH, "clear": CLEAR}

# MMMU's validation questions (Yue et al. 2024), as lm-evaluation-harness asks them. Assumed: the length of a prompt
# beside its picture, one picture each, and the size of the dataset's repository. The reply is the longest allowed one.
MMMU = {"questions": 900, "prompt": 120, "reply": 512, "bytes": 3.5e9}
