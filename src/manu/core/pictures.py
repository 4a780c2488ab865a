"""Open pictures, in one way everywhere, and check that bytes are one."""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from manu.core.errors import UserError


def check_picture(data: bytes | None, where: str) -> None:
    """Raise UserError unless `data` is a complete PNG or JPEG that Pillow can decode.

    Pictures above Pillow's limit for decompression bombs are refused. where: for the message.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data or b"")) as image:
                image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(
            f"{where}: the picture has more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller"
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UserError(
            f"{where}: the image bytes are not a readable picture; needed: a complete PNG or JPEG"
        ) from error


def opened(data: bytes) -> Image.Image:
    """A picture (PNG or JPEG bytes) as a person sees it: RGB, upright, on white where it is transparent, 8 bits.

    Upright: turned as its EXIF orientation says, as the `datasets` library does and so the authors' code.
    """
    with Image.open(io.BytesIO(data)) as stored:
        image: Image.Image = ImageOps.exif_transpose(stored)
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits and more, which Pillow cuts off at 255
        levels = np.asarray(image, dtype=np.float64)
        top = 65535.0 if levels.max() > 255 else 255.0
        image = Image.fromarray((levels * 255.0 / top).round().clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers)
    return image.convert("RGB")
