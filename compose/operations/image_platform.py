"""--platform of commands on images that are here: there must be an image of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.engine_client.payloads.platforms import fits, platform_of, read_platform
from compose.errors import ComposeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.operations.session import Session


def check_platform(session: Session, names: Iterable[str], wanted: str) -> None:
    """Nothing if every image is there for the platform.

    Engines that keep an image for one platform answer with that. Raises UsageError, ComposeError,
    EngineRefusedError.
    """
    from compose.engine_client import image_calls
    from compose.operations.objects import ask

    read_platform(wanted)
    for name in names:
        image = ask(session, image_calls.inspect_image(name, wanted))
        if not fits(image, wanted):
            raise ComposeError(
                f"image with reference {name} was found but does not provide the specified platform "
                f"({wanted}): it is for {platform_of(image)}"
            )
