"""How large files, functions and folders may become, and where tests are. `make check` runs this file.

An exception stands here by name, with its reason.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "worker", "models")
MAX_LINES, MAX_FUNCTION_LINES, MAX_MODULES = 350, 60, 12
CODE = {".css", ".html", ".js", ".lua", ".py"}
FILE_EXCEPTIONS = {"app/schemas.py": "the wire format is in one file, for API and worker; most of it is descriptions"}
FUNCTION_EXCEPTIONS: dict[str, str] = {}
TEST_EXCEPTIONS = {
    "tests/app/jobs/test_owners.py": "what one owner may have: the queue, its scripts and the worker that takes from it",
    "tests/models/test_readme.py": "the examples of models/README.md",
    "tests/worker/test_same_graphs.py": "all of the worker together: the same graphs in any company, on every device",
}
FOLDER_EXCEPTIONS = {"app/commands": "one module for each command of `digress`, and those that they share"}


def code_files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in sorted((ROOT / package).rglob("*")) if path.suffix in CODE)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def mirrored_modules(test_file: Path) -> list[Path]:
    """The modules that a test file may be about, by its name."""
    folder, name = ROOT / test_file.parent.relative_to(ROOT / "tests"), test_file.stem.removeprefix("test_")
    return [folder / f"{name}.py", folder / f"__{name}__.py"]


def long_functions(source: str) -> dict[str, int]:
    """Qualified name -> lines, decorators included, of functions over the limit."""
    found = {}

    def visit(node: ast.AST, inside: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = inside
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{inside}.{child.name}".removeprefix(".")
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                lines = (child.end_lineno or first) - first + 1
                if lines > MAX_FUNCTION_LINES:
                    found[name] = lines
            visit(child, name)

    visit(ast.parse(source), "")
    return found


def test_no_file_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in code_files()}

    too_long = {name: lines for name, lines in lengths.items() if lines > MAX_LINES}
    assert too_long.keys() == FILE_EXCEPTIONS.keys(), too_long


def test_no_function_is_too_long() -> None:
    too_long = {
        f"{name_of(path)}:{function}": lines
        for path in code_files()
        if path.suffix == ".py"
        for function, lines in long_functions(path.read_text(encoding="utf-8")).items()
    }

    assert too_long.keys() == FUNCTION_EXCEPTIONS.keys(), too_long


def test_no_folder_has_too_many_modules() -> None:
    modules = (path for path in code_files() if path.suffix == ".py" and path.name != "__init__.py")
    counts = Counter(name_of(path.parent) for path in modules)

    too_many = {folder: count for folder, count in counts.items() if count > MAX_MODULES}
    assert too_many.keys() == FOLDER_EXCEPTIONS.keys(), too_many


def test_a_test_file_mirrors_a_module() -> None:
    """`tests/app/jobs/test_queue.py` tests `app/jobs/queue.py`; `test_main.py` may test a `__main__.py`."""
    strays = {
        name_of(path)
        for package in PACKAGES
        for path in (ROOT / "tests" / package).rglob("test_*.py")
        if not any(module.is_file() for module in mirrored_modules(path))
    }

    assert strays == TEST_EXCEPTIONS.keys()


def test_methods_and_functions_in_functions_are_measured_with_their_decorators() -> None:
    body = "\n".join(["        pass"] * MAX_FUNCTION_LINES)
    source = f"class A:\n    @property\n    def f(self):\n{body}\n\ndef g():\n    def h():\n{body}\n"

    assert long_functions(source) == {"A.f": 62, "g": 62, "g.h": 61}
