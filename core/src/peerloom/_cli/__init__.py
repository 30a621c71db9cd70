"""The command line: ``peerloom``, or ``python -m peerloom._cli``.

One module a command. A command's function imports what it needs when it is called: listing and
helping must stay quick. It begins in `_peerloom_command`, outside of the package.
"""
