"""Check that bytes are a readable picture."""

import io
import warnings

from PIL import Image, UnidentifiedImageError

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
