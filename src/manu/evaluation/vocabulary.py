"""The words that the key columns of an answer or a score may hold, in the order in which they are shown."""

SPLITS = ("forget", "test", "retain", "celebrity", "general")
FORGET_SPLITS = ("forget", "test")  # both ask about the people to be forgotten; test shows them anew
MODALITIES = ("multimodal", "text")
TASKS = ("classification", "cloze", "generation")
REFERENCES = ("vanilla", "retain_only")  # beside the methods: nothing unlearned; the forget set never seen
