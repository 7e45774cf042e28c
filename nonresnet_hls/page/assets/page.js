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
    if (more.interpolate) spec.layer[0].mark.interpolate = more.interpolate;
    // So many rows as there are, in pixels.
    if (spec.height.step) spec.height = spec.height.step * new Set(data[more.rows].map((one) => one[more.row])).size;
    const found = await window.vegaEmbed(element, spec, { actions: false, renderer: "canvas", tooltip: { theme: "custom" } });
    if (drawn.has(element)) drawn.get(element).view.finalize();
    drawn.set(element, { view: found.view, again: () => draw(element, name, data, more) });
    element.dataset.ready = "true";
    return found.view;
  };
  window.page = { figures: page, drawn };

  const span = (begin, end) => `${number(begin)} to ${number(end - 1)}`;
  // Neighbours that are alike are one.
  const stretches = (edges, same, each) => {
    for (let i = 0; i + 1 < edges.length;) {
      let next = i + 1;
      while (next + 1 < edges.length && same(next) === same(i)) next++;
      each(i, edges[i], edges[next]);
      i = next;
    }
  };
  const place = (fifo) => `${fifo.source} → ${fifo.target}`;

  // The circle in which the parts of a deadlock wait.
  const svg = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const ring = (where, deadlock) => {
    const count = deadlock.steps.length;
    const [width, size, radius, tip] = [600, 340, 122, `tip${document.querySelectorAll("marker").length}`];
    const at = (index, r) => {
      const angle = (2 * Math.PI * index) / count - Math.PI / 2;
      return [width / 2 + r * Math.cos(angle), size / 2 + r * Math.sin(angle)];
    };
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${size}`, role: "img", "aria-label": "who waits for whom" });
    drawing.append(svg("defs", {}, svg("marker", { id: tip, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0L8 4L0 8z", class: "tip" }))));
    deadlock.steps.forEach((step, index) => {
      const gap = 0.18 / (count / 7);
      const [x, y] = at(index + gap, radius);
      const [following, below] = at(index + 1 - gap, radius);
      drawing.append(svg("path", { class: `wait ${step.state}`, d: `M${x} ${y}A${radius} ${radius} 0 0 1 ${following} ${below}`, "marker-end": `url(#${tip})` }));
    });
    deadlock.steps.forEach((step, index) => {
      const [x, y] = at(index, radius);
      const [tx, ty] = at(index, radius + 26);
      const side = Math.abs(tx - width / 2) < 24 ? "middle" : tx > width / 2 ? "start" : "end";
      const shift = Math.abs(tx - width / 2) < 24 ? (ty < size / 2 ? -2 : 10) : 4;
      const text = step.part.length > 17 ? `${step.part.slice(0, 16)}…` : step.part;
      drawing.append(svg("circle", { class: `node ${step.state}`, cx: x, cy: y, r: 13 }), svg("text", { class: "nth", x, y: y + 4.5, "text-anchor": "middle" }, String(index + 1)));
      drawing.append(svg("text", { class: "who", x: side === "start" ? x + 20 : side === "end" ? x - 20 : tx, y: ty + shift, "text-anchor": side }, text));
    });
    where.replaceChildren(drawing, make("p", "keys", make("span", "", make("i", "line full"), "waits for room in a full FIFO"), make("span", "", make("i", "line empty"), "waits for a word of an empty one")));
  };

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
      const known = view.parts.filter((part) => time.activity[part.name]);
      const some = known.filter((part) => everything || !short.has(part.kind.split(",")[0]));
      for (const part of some.length ? some : known) {
        const one = time.activity[part.name];
        stretches(time.edges, (i) => `${one.starved[i]} ${one.blocked[i]}`, (i, begin, end) => {
          const works = Math.max(0, 1000 - one.starved[i] - one.blocked[i]);
          rows.push({ part: part.name, begin, end, works, blocked: one.blocked[i], cycles: span(begin, end), works_percent: works / 10, starved_percent: one.starved[i] / 10, blocked_percent: one.blocked[i] / 10 });
        });
      }
      return draw(find("activity"), "activity", { activity: rows, images: images() }, { rows: "activity", row: "part" });
    };

    const fill = async () => {
      const time = view.timelines[course];
      const some = fifos().filter((one) => everything || one.on_skip || depthOf(one) > 2);
      const rows = [];
      const taken = new Set();
      const narrow = find("fill").clientWidth < 600;
      for (const one of some.length ? some : fifos()) {
        const depth = depthOf(one);
        const levels = time.levels[one.name];
        // A row for each, though two may go from and to the same.
        let row = narrow ? `→ ${one.target}` : place(one);
        while (taken.has(row)) row += "\u200b";
        taken.add(row);
        stretches(time.edges, (i) => levels[i], (i, begin, end) => {
          rows.push({ row, fifo: place(one), stream: one.name, begin, end, level: levels[i], depth, share: depth ? levels[i] / depth : 0, kind: one.on_skip ? "skip" : "other", cycles: span(begin, end) });
        });
      }
      if (!rows.length) {
        find("fill").replaceChildren(make("p", "empty", "There is no FIFO between two layers."));
        return;
      }
      const chart = await draw(find("fill"), "fill", { fill: rows, images: images() }, { rows: "fill", row: "row" });
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
      const names = { sized: "sized", margin: "least, pipelines that stall", least: "least, order of the C++", tensor: "whole tensor", built: "built", high_water: "held at most, simulated" };
      const top = Math.max(most, depthOf(one), 1);
      const rules = new Map();
      const told = [];
      for (const [key, title] of Object.entries(names)) {
        const depth = one.depths[key];
        if (!depth) continue;
        told.push(told.length ? " · " : "Depths in words: ", `${title} `, figure(depth));
        if (depth.value <= 1.3 * top + 2) rules.set(depth.value, [...(rules.get(depth.value) || []), title]);
      }
      // Of lines that lie close together the higher one bears its name.
      let last = Infinity;
      const depths = [...rules].sort((a, b) => b[0] - a[0]).map(([depth, titles]) => {
        const close = last - depth < 0.13 * top;
        if (!close) last = depth;
        return { depth, told: close ? "" : `${number(depth)}: ${titles.join(", ")}` };
      });
      const title = element.querySelector("[data-fifo-title]");
      title.replaceChildren(place(one));
      element.querySelector("[data-fifo-depths]").replaceChildren(`${one.name}, ${number(one.bits)} bits a word${one.on_skip ? ", on a skip" : ""}. Holds at most ${number(most)} of the ${number(one.words)} words of an image. `, ...told);
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
      const text = [`The first image is done after ${number(ends[0])} cycles`];
      if (ends.length > 1) text.push(`, the next one ${number(ends[1] - ends[0])} cycles later`);
      return line.replaceChildren(text.join(""), ".");
    };

    const resources = () => {
      const chart = find("resources");
      if (!chart) return undefined;
      const titles = { lut: "LUT", ff: "FF", bram_18k: "BRAM18", dsp: "DSP" };
      const rows = [];
      for (const [name, title] of Object.entries(titles)) {
        const has = view.available[name];
        const all = view.totals[name];
        if (!has || !all) continue;
        const resource = `${title}  ${number(Math.round((1000 * all.value) / has) / 10)} %`;
        let begin = 0;
        const add = (part, kind, count, source) => {
          const percent = (100 * count) / has;
          if (count || part === "FIFOs") rows.push({ resource, part, kind, count, percent, begin, end: begin + percent, basis: page.sources[source].basis, solid: page.sources[source].basis === "measured" ? 1 : 0.32 });
          begin += percent;
        };
        for (const part of view.parts) {
          const one = part.figures[name];
          if (one) add(part.name, part.reuse_factor || part.layers.length > 1 ? "weights" : "other layers", one.value, one.source);
        }
        const rest = all;
        const sum = view.parts.reduce((all, part) => all + (part.figures[name] ? part.figures[name].value : 0), 0);
        const skips = view.totals[`skip_${name}_sized`];
        if (skips) add("FIFOs on skips", "FIFOs on skips", skips.value, rest.source);
        add("FIFOs", "FIFOs", rest.value - sum - (skips ? skips.value : 0), rest.source);
      }
      return draw(chart, "resources", { resources: rows, board: [{ percent: 100, told: "all of it" }] }, { rows: "resources", row: "resource" });
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
        list.append(make("li", `is-${step.state}`, make("span", "num", String(index + 1)), make("div", "", ...wants), make("div", "row", held, `${number(step.level)} of ${number(step.depth)} held`, make("span", "", `${number(step.passed)} of ${number(step.tokens)} ${verb}`))));
      });
      ring(element.querySelector("[data-ring]"), one);
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
    return draw(element, "values", { types, values }, { rows: "types", row: "layer" });
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
      if (!rows.length) {
        chart.replaceChildren(make("p", "empty", "No trial has both of these figures yet."));
        return;
      }
      // Of the figures that are shown alone: what no other trial is better in, for the line.
      const worth = (name, value) => (study.figures.find((one) => one.name === name).better === "max" ? value : -value);
      const beats = (one, other) => worth(x, one.x) >= worth(x, other.x) && worth(y, one.y) >= worth(y, other.y) && (one.x !== other.x || one.y !== other.y);
      const best = rows.filter((one) => !rows.some((other) => beats(other, one)));
      const interpolate = study.figures.find((one) => one.name === x).better === "max" ? "step-before" : "step-after";
      const view = await draw(chart, "front", { trials: rows, front: best }, { x_title: title(x), y_title: title(y), interpolate });
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
