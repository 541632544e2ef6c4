# `make run` starts Engage, `make test` checks all of it. Neither needs more than Python 3.11 to 3.13.

# The first Python that will do: .venv's own, or what is on the PATH. PYTHON=/path/to/python3.12 names another.
SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
CANDIDATES = $(or $(PYTHON),.venv/bin/python python3 python3.13 python3.12 python3.11)
FOUND := $(shell for each in $(CANDIDATES); do "$$each" -c '$(SUPPORTED)' 2>/dev/null && echo "$$each" && break; done)
define NO_PYTHON
echo "engage: needs Python 3.11, 3.12 or 3.13; $(or $(PYTHON),python3) is: $$($(or $(PYTHON),python3) -V 2>&1 | head -1)" >&2; \
echo "Install one (Debian: apt install python3 python3-venv), or name it: PYTHON=/path/to/python3.12 make $@" >&2; exit 1
endef
BOOTSTRAP = @$(if $(FOUND),$(FOUND) -I engage/local/bootstrap.py,$(NO_PYTHON);)

.PHONY: run test lint unit postfix browser newcomer chaos bench

run:
	$(BOOTSTRAP) engage.local.run

test:
	$(BOOTSTRAP) --tests tests.checks lint unit postfix browser newcomer chaos

lint unit postfix browser newcomer chaos:
	$(BOOTSTRAP) --tests tests.checks $@

# What to measure is said by ONLY=…
bench:
	$(BOOTSTRAP) --tests bench
