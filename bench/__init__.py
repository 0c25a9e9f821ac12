"""How fast it is: ratios against a peer or a floor measured in the same run. ``make bench``."""

import warnings

#: zhmcclient's and Nova's libraries import eventlet, which says of itself that it is deprecated.
warnings.filterwarnings("ignore", module="futurist")
