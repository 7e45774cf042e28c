"""`python -m nonresnet_hls` is the command line."""

import sys

from nonresnet_hls.cli import main

sys.exit(main())
