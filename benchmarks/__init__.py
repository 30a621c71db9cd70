"""How fast Peerloom is beside other implementations, measured in one run; see README.md."""
