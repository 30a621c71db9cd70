"""``python -m peerloom._cli``: the command line of this very interpreter."""

from _peerloom_command import main

main()
