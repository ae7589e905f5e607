"""Every exception of the package is a pipeline.Error."""

import importlib
import inspect
import pkgutil

import pipeline

NOT_AN_ERROR = {"Hint"}
"""What a student is shown when an answer is wrong."""


def test_every_exception_is_an_error_of_ours():
    found = {}
    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                is_exception = inspect.isclass(value) and issubclass(value, Exception)
                if is_exception and value.__module__.startswith("pipeline"):
                    found[name] = value
    assert {"IngestError", "ModelError", "ParseError", "PlanError", "RawRunError"} <= set(found)
    others = {name for name, value in found.items() if not issubclass(value, pipeline.Error)}
    assert others <= NOT_AN_ERROR
