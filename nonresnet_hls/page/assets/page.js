"use strict";
(() => {
  const page = JSON.parse(document.getElementById("figures").textContent);
  const specs = document.getElementById("specs").textContent;
  const panel = document.getElementById("panel");
  const short = new Set(["padding", "fork", "cast", "relu", "linear", "word by word"]);
  const number = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 3 : 2 }));

  // Text goes into the page as text alone: names come from models.
  const make = (tag, name, ...children) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...children.filter((one) => one !== null && one !== undefined));
    return element;
  };
  const figure = (one) => {
    const source = page.sources[one.source];
    const element = make("data", `fig ${source.basis}${one.at_most ? " at-most" : ""}`, number(one.value));
    element.value = JSON.stringify(one.value);
    element.title = [source.basis, source.engine, source.version, source.stage].filter(Boolean).join(" · ");
    return element;
  };

  // Charts: colours are those of the style sheet, data those of the page.
  const drawn = new Map();
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  };
  const draw = async (element, name, data, more = {}) => {
    const colour = colours();
    const label = Math.min(230, Math.round(element.clientWidth * 0.33));
    const own = { label, font: colour("font"), ...more };
    const text = JSON.stringify(JSON.parse(specs)[name], (_, value) => {
      const token = typeof value === "string" && /^@(\w+)$/.exec(value);
      if (!token) return value;
      return own[token[1]] ?? colour(token[1]);
    });
    const spec = JSON.parse(text);
    spec.datasets = data;
    const found = await window.vegaEmbed(element, spec, { actions: false, renderer: "canvas", tooltip: { theme: "custom" } });
    if (drawn.has(element)) drawn.get(element).view.finalize();
    drawn.set(element, { view: found.view, again: () => draw(element, name, data, more) });
    element.dataset.ready = "true";
    return found.view;
  };
  window.page = { figures: page, drawn };

  const span = (begin, end) => `${number(begin)} to ${number(end - 1)}`;
  const place = (view, fifo) => `${fifo.source} → ${fifo.target}`;

  // One design by one engine.
  const setUp = (element, design, view) => {
    const find = (name) => element.querySelector(`[data-chart="${name}"]`);
    let course = 0;
    let everything = false;
    const fifos = () => view.fifos.filter((one) => view.timelines[course].levels[one.name]);
    const deepest = () => {
      const time = view.timelines[course];
      const top = (one) => Math.max(...time.levels[one.name]) * one.bits;
      return fifos().reduce((a, b) => (b.on_skip - a.on_skip || top(b) - top(a)) > 0 ? b : a, fifos()[0]);
    };
    let chosen = null;

    const depthOf = (fifo) => (fifo.depths[view.timelines[course].key] || { value: 0 }).value;
    const images = () => view.timelines[course].image_ends.map((cycle) => ({ cycle }));

    const activity = () => {
      const time = view.timelines[course];
      const rows = [];
      for (const part of view.parts) {
        const one = time.activity[part.name];
        if (!one || (!everything && short.has(part.kind.split(",")[0]))) continue;
        for (let i = 0; i + 1 < time.edges.length; i++) {
          const works = Math.max(0, 1000 - one.starved[i] - one.blocked[i]);
          rows.push({ part: part.name, begin: time.edges[i], end: time.edges[i + 1], works, blocked: one.blocked[i], cycles: span(time.edges[i], time.edges[i + 1]), works_percent: works / 10, starved_percent: one.starved[i] / 10, blocked_percent: one.blocked[i] / 10 });
        }
      }
      return draw(find("activity"), "activity", { activity: rows, images: images() });
    };

    const fill = async () => {
      const time = view.timelines[course];
      const some = fifos().filter((one) => everything || one.on_skip || depthOf(one) > 2);
      const rows = [];
      for (const one of some.length ? some : fifos()) {
        const depth = depthOf(one);
        time.levels[one.name].forEach((level, i) => {
          rows.push({ fifo: place(view, one), stream: one.name, begin: time.edges[i], end: time.edges[i + 1], level, depth, share: depth ? level / depth : 0, kind: one.on_skip ? "skip" : "other", cycles: span(time.edges[i], time.edges[i + 1]) });
        });
      }
      const chart = await draw(find("fill"), "fill", { fill: rows, images: images() });
      chart.addEventListener("click", (_, item) => {
        if (item && item.datum && item.datum.stream) choose(item.datum.stream, true);
      });
    };

    const words = () => {
      const time = view.timelines[course];
      const one = fifos().find((fifo) => fifo.name === chosen) || deepest();
      if (!one) return undefined;
      chosen = one.name;
      const levels = time.levels[one.name];
      const most = Math.max(...levels);
      const rows = levels.map((level, i) => ({ begin: time.edges[i], end: time.edges[i + 1], level, cycles: span(time.edges[i], time.edges[i + 1]) }));
      rows.push({ begin: time.edges[time.edges.length - 1], end: time.edges[time.edges.length - 1], level: levels[levels.length - 1], cycles: "the end" });
      const names = { least: "least, order of the C++", margin: "least, pipelines that stall", sized: "sized", tensor: "whole tensor", built: "built", high_water: "most that was held" };
      const told = new Map();
      for (const [key, depth] of Object.entries(one.depths)) {
        if (depth.value > Math.max(most, depthOf(one)) * 1.3 + 2) continue;
        told.set(depth.value, [...(told.get(depth.value) || []), names[key] || key]);
      }
      const depths = [...told].map(([depth, what]) => ({ depth, told: `${number(depth)}: ${what.join(", ")}` }));
      const title = element.querySelector("[data-fifo-title]");
      title.replaceChildren(make("span", "", `${place(view, one)}`), make("span", "sub", `  ${one.name}, ${number(one.bits)} bits a word${one.on_skip ? ", on a skip" : ""}; holds at most `), String(number(most)), make("span", "sub", ` of ${number(one.words)} words of an image`));
      return draw(find("words"), "words", { words: rows, images: images(), depths }, { fill: colours()(one.on_skip ? "skip" : "accent") });
    };

    const choose = async (stream, scroll) => {
      chosen = stream;
      await words();
      if (scroll) element.querySelector("[data-fifo-title]").scrollIntoView({ behavior: "smooth", block: "nearest" });
    };

    const tell = () => {
      const time = view.timelines[course];
      const line = element.querySelector("[data-course]");
      const ends = time.image_ends;
      if (time.stuck) return line.replaceChildren(make("strong", "", "It does not finish: "), time.stuck);
      const text = [`Image 1 is done after ${number(ends[0])} cycles`];
      if (ends.length > 1) text.push(`, image 2 ${number(ends[1] - ends[0])} later`);
      return line.replaceChildren(text.join(""), ".");
    };

    const resources = () => {
      const chart = find("resources");
      if (!chart) return undefined;
      const titles = { lut: "LUT", ff: "FF", bram_18k: "BRAM18", dsp: "DSP" };
      const rows = [];
      for (const [name, title] of Object.entries(titles)) {
        const has = view.available[name];
        if (!has || !view.totals[name]) continue;
        let begin = 0;
        const add = (part, kind, count, source) => {
          const percent = (100 * count) / has;
          if (count) rows.push({ resource: title, part, kind, count, percent, begin, end: begin + percent, basis: page.sources[source].basis });
          begin += percent;
        };
        for (const part of view.parts) {
          const one = part.figures[name];
          if (one) add(part.name, part.reuse_factor || part.layers.length > 1 ? "weights" : "other layers", one.value, one.source);
        }
        const rest = view.totals[name];
        const sum = view.parts.reduce((all, part) => all + (part.figures[name] ? part.figures[name].value : 0), 0);
        add("FIFOs", "FIFOs", rest.value - sum, rest.source);
      }
      return draw(chart, "resources", { resources: rows, board: [{ percent: 100 }] });
    };

    const story = () => {
      const select = element.querySelector("[data-deadlock]");
      if (!select) return;
      const one = view.deadlocks[Number(select.value)];
      const where = element.querySelector("[data-story]");
      const fifo = view.fifos.find((candidate) => candidate.name === one.fifo);
      const intro = make("p", "intro", "With ", make("strong", "", `${number(one.depth)} word${one.depth === 1 ? "" : "s"}`), ` in ${one.fifo}${fifo ? `, from ${fifo.source} to ${fifo.target}` : ""}, one fewer than the least (${number(one.least)}), nobody can go on:`);
      if (!one.steps.length) {
        where.replaceChildren(intro, make("p", "again", one.told));
        return;
      }
      const list = make("ol", "");
      one.steps.forEach((step, index) => {
        const last = index + 1 === one.steps.length;
        const verb = step.state === "full" ? "written" : "read";
        const held = make("span", "cells");
        const filled = make("i", "");
        filled.style.width = `${step.depth ? (100 * step.level) / step.depth : 0}%`;
        held.append(filled);
        const wants = step.state === "full"
          ? [make("strong", "", step.part), " has a word for ", make("strong", "", step.fifo), ", which is full. It waits until ", make("strong", "", step.other), " reads one."]
          : [make("strong", "", step.part), " needs a word of ", make("strong", "", step.fifo), ", which is empty. It waits until ", make("strong", "", step.other), last ? " writes one: but that is where it began." : " writes one."];
        list.append(make("li", step.state, make("span", "num", String(index + 1)), make("div", "", ...wants), make("div", "row", held, `${number(step.level)} of ${number(step.depth)} held`, make("span", "", `${number(step.passed)} of ${number(step.tokens)} ${verb}`))));
      });
      where.replaceChildren(intro, list, make("p", "again", `So ${one.steps[0].part} waits for itself, by way of ${number(one.steps.length - 1)} other${one.steps.length === 2 ? "" : "s"}. With ${number(one.least)} words in ${one.fifo} every word goes through.`));
    };

    // Clicks.
    const show = (index) => {
      const part = view.parts[index];
      element.querySelectorAll("tr.chosen").forEach((row) => row.classList.remove("chosen"));
      const row = element.querySelector(`tr[data-part="${index}"]`);
      row.classList.add("chosen");
      const close = make("button", "close", "×");
      close.setAttribute("aria-label", "close");
      close.addEventListener("click", () => { panel.hidden = true; row.classList.remove("chosen"); });
      const titles = { interval_cycles: "cycles an image", lut: "LUT", ff: "FF", bram_18k: "BRAM18", dsp: "DSP" };
      const list = make("dl", "list");
      if (part.type) list.append(make("dt", "", "type"), make("dd", "", part.type));
      if (part.reuse_factor) list.append(make("dt", "", "reuse factor"), make("dd", "", number(part.reuse_factor)));
      const origins = new Set();
      for (const [name, title] of Object.entries(titles)) {
        const one = part.figures[name];
        if (!one) continue;
        const source = page.sources[one.source];
        origins.add([source.basis, source.engine, source.version, source.stage].filter(Boolean).join(" · "));
        const dd = make("dd", "", figure(one));
        if (one.high !== undefined) dd.append(make("span", "range", ` ${number(one.low || 0)} to ${number(one.high)}`));
        list.append(make("dt", "", title), dd);
      }
      const own = make("div", "", close, make("h3", "", part.name), make("p", "sub", part.kind, part.bottleneck ? " · the bottleneck" : ""), list);
      const ways = [["reads", view.fifos.filter((one) => one.target === part.name)], ["writes", view.fifos.filter((one) => one.source === part.name)]];
      for (const [title, some] of ways) {
        if (!some.length) continue;
        const streams = make("dl", "list");
        for (const one of some) {
          const depth = one.depths.sized || one.depths.built;
          streams.append(make("dt", "", `${one.name}${one.on_skip ? " (skip)" : ""}`), make("dd", "", `${number(one.words)} × ${number(one.bits)} bits, depth `, depth ? figure(depth) : "?"));
        }
        own.append(make("h4", "", title), streams);
      }
      if (part.layers.length > 1) own.append(make("h4", "", "computes"), make("p", "", part.layers.join(", ")));
      own.append(...[...origins].map((one) => make("p", "from", one)));
      panel.replaceChildren(own);
      panel.hidden = false;
    };
    element.querySelectorAll("tr[data-part]").forEach((row) => {
      row.addEventListener("click", () => show(Number(row.dataset.part)));
      row.addEventListener("keydown", (event) => { if (event.key === "Enter") show(Number(row.dataset.part)); });
    });
    element.querySelectorAll(".strip [data-part]").forEach((bar) => bar.addEventListener("click", () => {
      show(Number(bar.dataset.part));
      element.querySelector(`tr[data-part="${bar.dataset.part}"]`).scrollIntoView({ behavior: "smooth", block: "nearest" });
    }));
    element.querySelectorAll(".edge.skip, .words").forEach((line) => line.addEventListener("click", () => {
      if (view.timelines.length) choose(view.fifos[Number(line.dataset.fifo)].name, true);
    }));
    element.querySelectorAll("[data-depths]").forEach((button) => button.addEventListener("click", () => {
      course = Number(button.dataset.depths);
      element.querySelectorAll("[data-depths]").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
      timelines();
    }));
    const all = element.querySelector("[data-all]");
    if (all) all.addEventListener("change", () => { everything = all.checked; timelines(); });
    const select = element.querySelector("[data-deadlock]");
    if (select) {
      // What matters first: skips.
      const skip = view.deadlocks.findIndex((one) => view.fifos.some((fifo) => fifo.name === one.fifo && fifo.on_skip));
      select.value = String(Math.max(0, skip));
      select.addEventListener("change", story);
    }
    const box = element.querySelector("[data-fold]");
    const unfold = element.querySelector("[data-unfold]");
    if (box && view.parts.length > 24) {
      box.classList.add("folded");
      unfold.hidden = false;
      unfold.addEventListener("click", () => { box.classList.remove("folded"); unfold.hidden = true; });
    }
    const timelines = () => Promise.all([tell(), activity(), fill(), words()]);
    story();
    return { time: timelines, resources };
  };

  const ranges = (element, found) => {
    const types = [];
    const values = [];
    for (const layer of found.layers) {
      types.push({ layer: layer.layer, bit: layer.bottom - 0.5, end: layer.top + 0.5 });
      const total = Object.values(layer.powers).reduce((a, b) => a + b, 0) || 1;
      for (const [power, count] of Object.entries(layer.powers)) {
        const bit = Number(power);
        const where = bit > layer.top ? "above" : bit < layer.bottom ? "below" : "inside";
        values.push({ layer: layer.layer, type: layer.type, bit: bit - 0.46, end: bit + 0.46, count, share: count / total, percent: (100 * count) / total, where, told: `2^${bit} and more, less than 2^${bit + 1}` });
      }
    }
    return draw(element, "values", { types, values });
  };

  // Charts are drawn when they come near the screen.
  const todo = new Map();
  const watch = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (!entry.isIntersecting || !todo.has(entry.target)) return;
    const make = todo.get(entry.target);
    todo.delete(entry.target);
    watch.unobserve(entry.target);
    Promise.resolve(make()).catch((error) => { console.error(error); });
  }), { rootMargin: "240px" });
  const later = (element, make) => { if (element) { todo.set(element, make); watch.observe(element); } };

  document.querySelectorAll(".design").forEach((article) => {
    const design = page.designs[Number(article.dataset.design)];
    article.querySelectorAll(".view").forEach((element) => {
      const charts = setUp(element, design, design.views[Number(element.dataset.view)]);
      later(element.querySelector('[data-section="time"]'), charts.time);
      later(element.querySelector('[data-chart="resources"]'), charts.resources);
    });
    if (design.ranges) later(article.querySelector('[data-chart="values"]'), () => ranges(article.querySelector('[data-chart="values"]'), design.ranges));
    article.querySelectorAll("[role=tab]").forEach((tab) => tab.addEventListener("click", () => {
      article.querySelectorAll("[role=tab]").forEach((one) => one.setAttribute("aria-selected", String(one === tab)));
      article.querySelectorAll(".view").forEach((element) => { element.hidden = element.dataset.view !== tab.dataset.view; });
      panel.hidden = true;
    }));
  });

  const pick = document.getElementById("design");
  if (pick) pick.addEventListener("change", () => {
    document.querySelectorAll(".design").forEach((article) => { article.hidden = article.dataset.design !== pick.value; });
    panel.hidden = true;
    const article = document.querySelector(".design:not([hidden])");
    article.scrollIntoView({ block: "start" });
  });
  document.querySelectorAll(".sections a").forEach((link) => link.addEventListener("click", (event) => {
    const name = link.getAttribute("href").slice(1);
    const shown = [...document.querySelectorAll(`[data-section="${name}"]`)].find((one) => one.offsetParent !== null);
    if (!shown) return;
    event.preventDefault();
    shown.scrollIntoView({ behavior: "smooth", block: "start" });
  }));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") panel.hidden = true; });

  // Studies.
  document.querySelectorAll(".study").forEach((section) => {
    const study = page.studies[Number(section.dataset.study)];
    const chart = section.querySelector('[data-chart="front"]');
    const axis = (name) => section.querySelector(`[data-axis="${name}"]`).value;
    const title = (name) => { const one = study.figures.find((figure) => figure.name === name); return one.unit ? `${one.title}, ${one.unit}` : one.title; };
    const show = (index) => {
      const trial = study.trials[index];
      const list = make("dl", "list");
      for (const [name, value] of Object.entries(trial.axes)) list.append(make("dt", "", name), make("dd", "", value));
      for (const one of study.figures) if (trial.figures[one.name]) list.append(make("dt", "", one.title), make("dd", "", figure(trial.figures[one.name]), one.unit ? ` ${one.unit}` : ""));
      const found = make("div", "", make("h3", "", trial.name), list);
      if (trial.notes) found.append(make("p", "sub", trial.notes));
      if (trial.recipe) found.append(make("p", "sub", "recipe: ", make("code", "", trial.recipe)));
      if (trial.recipe_text) found.append(make("pre", "", trial.recipe_text));
      section.querySelector(".recipe").replaceChildren(found);
    };
    const front = async () => {
      const [x, y] = [axis("x"), axis("y")];
      const rows = [];
      study.trials.forEach((trial, index) => {
        const [a, b] = [trial.figures[x], trial.figures[y]];
        if (!a || !b) return;
        const basis = page.sources[a.source].basis === "measured" && page.sources[b.source].basis === "measured" ? "measured" : "modelled";
        rows.push({ index, name: trial.name, x: a.value, y: b.value, x_told: `${number(a.value)} (${page.sources[a.source].basis})`, y_told: `${number(b.value)} (${page.sources[b.source].basis})`, front: trial.on_front ? "on the front" : "behind it", filled: trial.on_front ? "front" : basis === "measured" ? "measured" : "modelled", shape: trial.axes.board || trial.axes.engine || "all", point: Object.values(trial.axes).filter(Boolean).join(", ") });
      });
      const view = await draw(chart, "front", { trials: rows, front: rows.filter((one) => one.front === "on the front") }, { x_title: title(x), y_title: title(y) });
      view.addEventListener("click", (_, item) => { if (item && item.datum && item.datum.index !== undefined) show(item.datum.index); });
    };
    section.querySelectorAll("[data-axis]").forEach((select) => select.addEventListener("change", front));
    section.querySelectorAll("tr[data-trial]").forEach((row) => row.addEventListener("click", () => show(Number(row.dataset.trial))));
    later(chart, front);
  });

  // Light and dark, and other widths: the style sheet's colours again.
  const again = () => drawn.forEach((one, element) => { if (element.offsetParent !== null) one.again(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
})();
