"""Models of other libraries: `make models` runs these tests in a Python that has those."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("transformers") else ["test_*.py"]
