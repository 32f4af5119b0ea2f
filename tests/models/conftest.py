"""Imports what is large before `models` does.

jaxtyping keeps the bytecode of what is imported while it looks at a module of ours apart from Python's own, so all of that would be
compiled anew: ten seconds at the start of the tests.
"""

import matplotlib.figure  # noqa: F401
import networkx  # noqa: F401
import scipy.optimize
import scipy.stats  # noqa: F401
