"""As in the folder above."""

import lightning.pytorch  # noqa: F401
