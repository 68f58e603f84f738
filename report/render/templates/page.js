// Draws the charts of the page again, so that they can be zoomed and have one
// cursor in step. It only adds: without it the drawings of the page stay.
// Everything that a run called anything is put in as text, never as markup.
(() => {
  "use strict";
  const groups = JSON.parse(document.getElementById("charts").textContent) || [];
  const heights = {top: 18, plot: 118, bottom: 20};
  const dashes = {p1: [9, 3], p2: [2, 4], p3: [9, 3, 2, 3], p4: [14, 4]};
  const drawn = new Map(); // figure → what was drawn in it

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const made = (tag, name, text) => {
    const e = document.createElement(tag);
    e.className = name;
    if (text !== undefined) e.textContent = text;
    return e;
  };

  // three significant digits, without an exponent
  const digits = (v) => {
    const a = Math.abs(v);
    return String(a >= 100 ? Math.round(v) : Number(v.toPrecision(3)));
  };
  const seconds = (v) => {
    const a = Math.abs(v);
    if (a === 0) return "0 s";
    if (a < 1e-3) return digits(v * 1e6) + " µs";
    if (a < 1) return digits(v * 1e3) + " ms";
    return a < 120 ? digits(v) + " s" : digits(v / 60) + " min";
  };
  const bytes = (v) => {
    let i = 0;
    for (; Math.abs(v) >= 1024 && i < 4; i++) v /= 1024;
    return digits(v) + " " + ["B", "KiB", "MiB", "GiB", "TiB"][i];
  };
  const written = (v, unit) => {
    if (v === null || v === undefined) return "–";
    switch (unit) {
      case "seconds": return seconds(v);
      case "bytes": return v === 0 ? "0" : bytes(v);
      case "per second": return v === 0 ? "0" : digits(v) + "/s";
      case "fraction": return digits(100 * v) + " %";
    }
    return digits(v);
  };
  const instant = (v) => (v === 0 ? "0" : Math.abs(v) >= 120 && v % 60 === 0 ? digits(v / 60) + " min" : digits(v) + " s").replace("-", "−");

  // valuesOf puts a line on the group's instants: undefined inside a stretch is
  // passed over, null is a gap.
  const valuesOf = (line, n) => {
    const out = new Array(n).fill(null);
    for (const part of line.parts) {
      let at = part.at;
      part.v.forEach((v, i) => {
        if (i > 0) {
          const step = part.step ? part.step[i - 1] : 1;
          for (let k = at + 1; k < at + step; k++) out[k] = undefined;
          at += step;
        }
        out[at] = v;
      });
    }
    return out;
  };

  // alone are the points without a neighbour, which no line shows.
  const alone = (v) => {
    const out = [];
    const there = (i, by) => {
      for (i += by; i >= 0 && i < v.length; i += by) if (v[i] !== undefined) return v[i] !== null;
      return false;
    };
    v.forEach((x, i) => {
      if (x !== null && x !== undefined && !there(i, -1) && !there(i, 1)) out.push(i);
    });
    return out;
  };

  // backdrop shades the faults and operations and rules the phases' borders.
  const backdrop = (u, group, colours) => {
    const c = u.ctx, px = uPlot.pxRatio, {left, top, width, height} = u.bbox;
    const at = (t) => Math.min(left + width, Math.max(left, u.valToPos(t, "t", true)));
    c.save();
    for (const b of group.bands) {
      c.globalAlpha = b.sort === "operation" ? 0.22 : 0.16;
      c.fillStyle = b.sort === "operation" ? colours.operation : colours.fault;
      const from = at(b.from), to = at(b.to);
      if (b.to > u.scales.t.min && b.from < u.scales.t.max) c.fillRect(from, top, Math.max(to - from, 2 * px), height);
    }
    c.globalAlpha = 1;
    c.strokeStyle = colours.line;
    c.lineWidth = px;
    c.setLineDash([2 * px, 3 * px]);
    c.beginPath();
    for (const t of group.rules) {
      if (t <= u.scales.t.min || t >= u.scales.t.max) continue;
      c.moveTo(at(t), top);
      c.lineTo(at(t), top + height);
    }
    c.stroke();
    c.fillStyle = colours.fg;
    c.font = 11 * px + "px " + colours.font;
    c.textAlign = "left";
    c.textBaseline = "alphabetic";
    let free = left;
    for (const b of group.bands) {
      if (b.to <= u.scales.t.min || b.from >= u.scales.t.max) continue;
      const wide = c.measureText(b.label).width;
      const x = Math.min(at(b.from), left + width - wide);
      if (x < free) continue;
      c.fillText(b.label, x, top - 6 * px);
      free = x + wide + 6 * px;
    }
    c.restore();
  };

  // tell says what the lines show under the cursor.
  const tell = (u, group, panel, box) => {
    const i = u.cursor.idx, left = u.cursor.left;
    if (i === null || i === undefined || left < 0) {
      box.hidden = true;
      return;
    }
    box.replaceChildren(made("b", "", instant(group.x[i])));
    panel.lines.forEach((line, k) => {
      if (!line.bold || !u.series[k + 1].show) return;
      let v, at = i; // the value here, or the one before it that the line goes on from
      do v = u.data[k + 1][at]; while (v === undefined && --at >= 0);
      const row = made("div", line.class);
      row.append(made("i", ""), (line.label ? line.label + " " : "") + written(v, panel.unit));
      box.append(row);
    });
    box.hidden = false;
    const right = left < u.over.clientWidth / 2;
    box.style.left = right ? "auto" : u.over.offsetLeft + 4 + "px";
    box.style.right = right ? "4px" : "auto";
  };

  const draw = (figure) => {
    const [g, p] = figure.dataset.live.split(" ").map(Number);
    const group = groups[g], panel = group && group.panels[p], plot = figure.querySelector(".plot");
    if (!panel || !panel.lines.length || !group.x.length) return;
    const old = drawn.get(figure);
    if (old) old.end();
    const colours = {fault: css("fault"), operation: css("operation"), line: css("line"), fg: css("fg"), font: getComputedStyle(document.body).fontFamily};
    const place = made("div", "live"), box = made("div", "told");
    box.hidden = true;
    plot.prepend(place);
    plot.classList.add("on");
    const gutter = matchMedia("(max-width: 40rem)").matches ? 54 : 62;
    const data = [group.x, ...panel.lines.map((l) => valuesOf(l, group.x.length))];
    const axis = {stroke: css("muted"), font: "11.5px " + colours.font, ticks: {show: false}};
    // The axis of time is asked for its range before that of the values: what it
    // answered last is what will be shown, which u.scales does not have yet.
    let span = [group.from, group.to];
    const zoomed = () => span[0] > group.from || span[1] < group.to;
    const fit = (u, lo, hi) => {
      if (!zoomed() || lo === null || hi === null || !isFinite(lo) || !isFinite(hi)) return [panel.lo, panel.hi];
      if (panel.log) return lo > 0 ? [lo / 1.25, hi * 1.25] : [panel.lo, panel.hi];
      const room = (hi - lo || Math.abs(hi) || 1) * 0.08;
      return [lo >= 0 ? Math.max(0, lo - room) : lo - room, hi + room];
    };
    const u = new uPlot({
      width: Math.max(place.clientWidth, 120),
      height: heights.top + heights.plot + heights.bottom,
      padding: [heights.top, 8, 0, 0],
      legend: {show: false},
      cursor: {y: false, drag: {x: true, y: false, dist: 4}, sync: {key: "storm-" + g, setSeries: false}, points: {show: false}},
      scales: {
        t: {time: false, range: (u, lo, hi) => (span = lo === null || (lo <= group.x[0] && hi >= group.x[group.x.length - 1]) ? [group.from, group.to] : [lo, hi])},
        v: {distr: panel.log ? 3 : 1, range: fit},
      },
      axes: [
        {...axis, scale: "t", size: heights.bottom, gap: 4, grid: {show: false}, space: 60, values: (u, at) => at.map(instant)},
        {
          ...axis, scale: "v", size: gutter, gap: 4, space: 24, grid: {stroke: css("hair"), width: 1},
          splits: (u, i, lo, hi, incr) => {
            if (!zoomed()) return panel.ticks;
            const out = [];
            for (let k = 0; k < 5; k++) out.push(panel.log ? Math.exp(Math.log(lo) + (k / 4) * (Math.log(hi) - Math.log(lo))) : lo + (k / 4) * (hi - lo));
            return out;
          },
          filter: (u, at) => at,
          values: (u, at) => at.map((v, i) => (at.length > 5 && i % 2 ? "" : written(v, panel.unit))),
        },
      ],
      series: [{scale: "t"}, ...panel.lines.map((l, k) => ({
        scale: "v",
        stroke: css(l.class),
        width: l.bold ? 2.2 : 1,
        alpha: l.bold ? 1 : l.not ? 0.35 : 0.3,
        dash: l.bold ? dashes[l.class] : l.not ? [1, 3] : undefined,
        spanGaps: false,
        points: {show: true, size: 4, filter: () => alone(data[k + 1])},
      }))],
      hooks: {
        drawClear: [(u) => backdrop(u, group, colours)],
        setCursor: [(u) => tell(u, group, panel, box)],
        setScale: [(u, key) => {
          if (key !== "t") return;
          plot.classList.toggle("zoomed", zoomed());
          const all = document.getElementById("all-" + g);
          if (all) all.hidden = !zoomed();
        }],
      },
    }, data, place);
    place.append(box);
    const sized = new ResizeObserver(() => {
      if (place.clientWidth > 0 && Math.abs(place.clientWidth - u.width) > 1) u.setSize({width: place.clientWidth, height: u.height});
    });
    sized.observe(place);
    drawn.set(figure, {u, g, end: () => {
      sized.disconnect();
      u.destroy();
      place.remove();
    }});
  };

  // Each group of charts says what can be done with it, and has a way back from
  // a zoom that needs no mouse.
  const hints = () => {
    const said = new Set();
    for (const figure of document.querySelectorAll(".panel[data-live]")) {
      const g = figure.dataset.live.split(" ")[0], before = figure.closest(".panels");
      if (said.has(g)) continue;
      said.add(g);
      const hint = made("p", "fine hint", "Drag across a chart to zoom all of them, double-click to see all again."), all = made("button", "all", "Show all");
      all.id = "all-" + g;
      all.type = "button";
      all.hidden = true;
      all.addEventListener("click", () => {
        for (const d of drawn.values()) if (d.g === Number(g)) d.u.setScale("t", {min: groups[g].from, max: groups[g].to});
      });
      hint.append(all);
      before.before(hint);
    }
  };

  // A chart that is folded away has no width yet: it is drawn when it is seen.
  const drawAll = () => {
    for (const figure of document.querySelectorAll(".panel[data-live]")) {
      if (figure.offsetWidth > 0) draw(figure);
      else if (drawn.has(figure)) {
        drawn.get(figure).end();
        drawn.delete(figure);
      }
    }
  };
  hints();
  drawAll();
  for (const fold of document.querySelectorAll("details")) {
    fold.addEventListener("toggle", () => {
      for (const figure of fold.querySelectorAll(".panel[data-live]")) if (fold.open && !drawn.has(figure)) draw(figure);
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
})();
