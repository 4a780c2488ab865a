"""The values of the key columns of answers and scores, in the order in which tables and figures show them."""

from manu.core.words import MODALITIES

__all__ = ["FORGET_SPLITS", "LANGUAGE_TASKS", "MODALITIES", "REFERENCES", "SPLITS", "TASKS"]

SPLITS = ("forget", "test", "retain", "celebrity", "general", "language")
FORGET_SPLITS = ("forget", "test")  # both ask about the forget people; test shows them anew
TASKS = ("classification", "cloze", "generation")
LANGUAGE_TASKS = ("completion", "passage")  # of the split language, which has no others
REFERENCES = ("vanilla", "retain_only")  # beside the methods: nothing unlearned; the forget set never seen
