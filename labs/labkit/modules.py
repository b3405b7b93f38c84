"""Python files that belong to no package: those of a lab's directory, for instance."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load(path: Path) -> ModuleType:
    """Loads it once; other labs have files of the same name. Raises FileNotFoundError, and what the file raises."""
    name = str(path.resolve())
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None, path
        module = sys.modules[name] = importlib.util.module_from_spec(spec)  # a dataclass looks for its module there
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
