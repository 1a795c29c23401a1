"""python -m diffusion_helpers.authoring.site OUT"""

import sys

from . import main

main(sys.argv[1:])
