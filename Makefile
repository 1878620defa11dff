# Everything goes through ./hub, which installs what is missing. `make` is a shorthand.

.PHONY: help demo test quick check fmt bench shape docs pictures lock

help: ## Print this
	@sed -n 's/^\([a-z]*\):.*## /  make \1 \t/p' Makefile | expand -t 18

demo: ## See the hub at work
	./hub demo

test: ## Run every test
	./hub test

quick: ## Run the tests that take a moment
	./hub test -m "not slow"

check: ## Formatting, lint, types, arrows between packages
	./hub check

fmt: ## Format the code, and mend what ruff can mend
	./hub dev ruff check --fix-only .
	./hub dev ruff format .

bench: ## Measure against the budgets
	./hub dev python -m benchmarks

shape: ## Print the sizes of functions, classes and files
	./hub dev python tools/shape.py

docs: ## Write the generated parts of the documentation
	./hub dev python tools/docs.py

pictures: ## Make the pictures of the documentation anew
	./hub dev python tools/pictures.py

# Keeps the versions that are locked; `make lock LOCK=--upgrade` takes the newest.
# The index that an installer asks is its own affair, so the locks name none.
UV ?= uv
LOCK ?=
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links $(LOCK)
HUB = $(COMPILE) pyproject.toml --extra all

lock: ## Rebuild the locks from pyproject.toml and tests/outside/package.json (needs uv and npm)
	$(HUB) --group build -o requirements/runtime.txt
	$(HUB) --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(COMPILE) --group outside -o requirements/outside.txt
	$(COMPILE) --group fastmcp -o requirements/fastmcp.txt
	$(COMPILE) --group contextforge -o requirements/contextforge.txt
	./hub dev python tools/npmlock.py
