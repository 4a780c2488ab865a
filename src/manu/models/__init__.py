"""Vision-language models, one file per architecture."""
