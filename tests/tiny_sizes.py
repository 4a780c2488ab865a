"""The sizes of the tiny models that the tests build."""

SIZES = {
    "image_size": 32,
    "patch_size": 16,
    "vision_layers": 2,
    "vision_width": 16,
    "vision_mlp": 12,
    "vision_heads": 2,
    "text_layers": 2,
    "text_width": 16,
    "text_mlp": 10,
    "text_heads": 4,
}
