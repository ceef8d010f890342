"""Packages that take long to import; each is imported when one of its names is needed first."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dlcourse.quiet import import_keras


class _Lazy(ModuleType):
    """A module that stands for the package of its name."""

    def __getattr__(self, name: str) -> Any:
        if self.__name__.startswith("keras"):
            import_keras()
        return getattr(import_module(self.__name__), name)


if TYPE_CHECKING:
    import keras as keras
    import pandas as pd
    from keras import ops as ops
    from PIL import Image
else:
    keras, ops, pd, Image = map(_Lazy, ("keras", "keras.ops", "pandas", "PIL.Image"))
