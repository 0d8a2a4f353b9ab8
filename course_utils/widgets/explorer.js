// What all explorers share. Python puts this file in front of each explorer's own.

const ACCENT = "#d55e00";

/** A new element: element("p", { className: "note" }, "text", child …). */
function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function decode(text, ArrayType) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new ArrayType(bytes.buffer);
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** A number with as many decimals as a range of this width needs, and a true minus sign. */
function format(value, range, digits = 3) {
  const decimals = clamp(digits - Math.ceil(Math.log10(range || 1)), 0, 8);
  const text = value.toFixed(decimals);
  return Number(text) < 0 ? "−" + text.slice(1) : text.replace("-", "");
}

/** Black or white, whichever is the easier to read on this colour (WCAG's relative luminance). */
function inkOn(red, green, blue) {
  const linear = [red, green, blue].map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000" : "#fff";
}

/** A frame around a region, outside of it, so that all of it stays visible. */
function frameAround(context, left, top, width, height) {
  strokeOnPicture(context, rectangle(left - 2.5, top - 2.5, width + 5, height + 5));
}

/** Marks one cell of a map: from inside, where it is large enough. */
function markCell(context, left, top, width, height) {
  const inset = width > 14 ? 5 : 0;
  frameAround(context, left + inset, top + inset, width - 2 * inset, height - 2 * inset);
}

/** The cell that a key leads to from (row, col) in a grid, or null if the key is not ours. */
function moveByKey(event, { row, col, rows, cols }) {
  if (event.altKey || event.metaKey) return null;
  const page = Math.max(1, Math.round(rows / 4));
  const corner = event.ctrlKey;
  const moves = {
    ArrowUp: [row - 1, col],
    ArrowDown: [row + 1, col],
    ArrowLeft: [row, col - 1],
    ArrowRight: [row, col + 1],
    PageUp: [row - page, col],
    PageDown: [row + page, col],
    Home: [corner ? 0 : row, 0],
    End: [corner ? rows - 1 : row, cols - 1],
  };
  const move = moves[event.key];
  return move ? { row: clamp(move[0], 0, rows - 1), col: clamp(move[1], 0, cols - 1) } : null;
}

/** Sets a text only where it changes: a drag comes through here at every frame, and each change costs a layout. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A canvas in a stage of its own. `draw(paint)` calls `paint(context, width, height)` in CSS pixels, sharp. */
class Stage {
  constructor(properties) {
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.node = element("div", { className: "explorer-stage", ...properties }, this.canvas);
    this.width = this.height = 0;
    this.layers = new Map();
  }

  resize(width, height) {
    const ratio = window.devicePixelRatio || 1;
    if (this.asked === (this.asked = `${width} ${height} ${ratio}`)) return;
    this.width = Math.round(width * ratio) / ratio;
    this.height = Math.round(height * ratio) / ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = this.node.style.width = `${this.width}px`;
    this.canvas.style.height = this.node.style.height = `${this.height}px`;
    this.ratio = ratio;
  }

  /** Copies what stays the same while the pointer moves; `paint` is called again only when `key` or the size changes. */
  copyLayer(context, name, key, paint) {
    const wanted = `${key} ${this.asked}`;
    if (this.layers.get(name)?.key !== wanted) {
      const canvas = element("canvas", { width: this.canvas.width, height: this.canvas.height });
      const layer = canvas.getContext("2d");
      layer.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      paint(layer, this.width, this.height);
      this.layers.set(name, { key: wanted, canvas });
    }
    context.drawImage(this.layers.get(name).canvas, 0, 0, this.width, this.height);
  }

  /** Takes the shape of a map of rows × cols square cells, as large as fits beside the other stage. */
  fit(other, rows, cols) {
    const cell = Math.min(other.width / cols, other.height / rows);
    this.resize(cell * cols, cell * rows);
  }

  draw(paint) {
    const context = this.canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    paint(context, this.width, this.height);
  }

  /** Calls `move(x, y)`, in fractions of the stage, wherever a pointer hovers, is dragged or pressed. */
  onPointer(move, pressed) {
    const handle = (event) => {
      const box = this.canvas.getBoundingClientRect();
      move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    };
    this.node.addEventListener("pointermove", handle);
    this.node.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.node.setPointerCapture(event.pointerId);
      handle(event);
      pressed(event);
    });
  }
}

/** A stage under a title ("what it is", "what it shows now"), with a legend or a hint below. */
function figure(title, stage, ...below) {
  const now = element("small");
  const caption = element("figcaption", {}, `${title} `, now);
  const node = element("figure", { className: "explorer-figure" }, caption, stage.node, ...below);
  return { node, stage, retitle: (text) => setText(now, text) };
}

const hint = (text) => element("p", { className: "explorer-hint" }, text);

/** A labelled menu. `choose(value)` is called when the reader picks one of `values` ([[value, text], …]). */
function menu(label, choose) {
  const select = element("select");
  select.addEventListener("change", () => choose(select.value));
  let filled = "";
  const fill = (values) => {
    // An open menu would close if its options were replaced.
    if (filled === (filled = JSON.stringify(values))) return;
    select.replaceChildren(...values.map(([value, text]) => element("option", { value, textContent: text })));
  };
  const node = element("label", { className: "explorer-control" }, element("span", {}, label), select);
  return { node, select, fill };
}

function checkbox(label, choose) {
  const input = element("input", { type: "checkbox" });
  input.addEventListener("change", () => choose(input.checked));
  return { node: element("label", { className: "explorer-control" }, input, label), input };
}

/** A group of radio buttons, one tab stop, arrow keys as everywhere. */
function radios(label, choose) {
  const name = `explorer-${Math.random().toString(36).slice(2)}`;
  const row = element("div", { className: "explorer-radios" });
  const node = element(
    "div",
    { className: "explorer-control", role: "radiogroup", "aria-label": label },
    element("span", { "aria-hidden": "true" }, label),
    row,
  );
  let filled = "";
  return {
    node,
    fill(values, decorate = () => {}) {
      if (filled === (filled = JSON.stringify(values))) return;
      row.replaceChildren(
        ...values.map(([value, text, title]) => {
          const input = element("input", { type: "radio", name, value });
          input.addEventListener("change", () => choose(value));
          const span = element("span", {}, text);
          decorate(span, value);
          return element("label", title ? { title } : {}, input, span);
        }),
      );
    },
    check(value) {
      for (const input of row.querySelectorAll("input")) input.checked = input.value === value;
    },
  };
}

/** A colour bar with its two ends and a mark at one value. */
function legend(colors) {
  const bar = element("canvas", { width: 256, height: 1, "aria-hidden": "true" });
  const pixels = bar.getContext("2d").createImageData(256, 1);
  for (let i = 0; i < 256; i++) pixels.data.set([...colors.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  bar.getContext("2d").putImageData(pixels, 0, 0);
  const [low, high, mark, text] = ["span", "span", "i", "p"].map((tag) => element(tag));
  const node = element("div", { className: "explorer-legend" }, low, element("div", {}, bar, mark), high, text);
  return {
    node,
    show({ from, to, at, label, digits }) {
      setText(low, format(from, to - from, digits));
      setText(high, format(to, to - from, digits));
      mark.hidden = at === null;
      mark.style.left = `${100 * (to > from ? (at - from) / (to - from) : 0.5)}%`;
      setText(text, label);
    },
  };
}

/** A list of names and values; `show({ name: "text" or ["text", "smaller text"] })` fills it in. */
function readout(names) {
  const values = Object.fromEntries(Object.keys(names).map((name) => [name, element("dd", { "data-value": name })]));
  const rows = Object.entries(names).map(([name, text]) => element("div", {}, element("dt", {}, text), values[name]));
  const shown = {};
  return {
    node: element("dl", { className: "explorer-readout" }, ...rows),
    show(texts) {
      for (const [name, value] of Object.entries(values)) {
        const [text, small] = [texts[name] ?? ""].flat();
        if (shown[name] === (shown[name] = `${text}\n${small}`)) continue;
        value.parentNode.hidden = text === "";
        value.replaceChildren(text, ...(small ? [" ", element("small", {}, small)] : []));
      }
    },
  };
}

/** A frame that shows on any picture: the accent colour between two light lines. */
function strokeOnPicture(context, path, color = ACCENT) {
  context.lineJoin = "miter";
  for (const [style, width] of [["#fff", 5], [color, 2.5]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.stroke(path);
  }
}

function rectangle(left, top, width, height) {
  const path = new Path2D();
  path.rect(left, top, width, height);
  return path;
}

/** Diagonal lines over a region: what is not part of the picture. */
function hatch(context, region, color, step = 7) {
  context.save();
  context.clip(region, "evenodd");
  context.strokeStyle = color;
  context.lineWidth = 1.25;
  context.beginPath();
  const { width, height } = context.canvas;
  for (let x = -height; x < width; x += step) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}

/**
 * Puts an explorer on the page.
 *
 * `draw()` runs at most once per frame, after any of `traits`, the width or the theme has changed; `resize(width)`
 * runs before it when the width of the element `column` has. `draw` returns a sentence for those who listen. The answer holds `redraw`
 * and `dispose`, which takes the explorer off the page again.
 */
function mount({ shared, el, name, content, column, traits, resize, draw }) {
  const spoken = element("p", { className: "explorer-spoken", "aria-live": "polite" });
  const root = element("section", { className: "explorer", "aria-label": name }, ...content, spoken);
  // The notebook must not act on keys that are meant for the explorer.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);

  let width = 0;
  let ratio = 0;
  let frame = 0;
  let speaking = 0;
  const schedule = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      if (!width) return;
      if (ratio !== window.devicePixelRatio) {
        ratio = window.devicePixelRatio;
        resize(width);
      }
      const sentence = draw();
      clearTimeout(speaking);
      // Only where the reader stops: a sentence per pixel of a drag would be noise.
      speaking = setTimeout(() => setText(spoken, sentence), 400);
    });
  };
  const sizes = new ResizeObserver(([entry]) => {
    if (Math.round(entry.contentRect.width) === width) return;
    width = Math.round(entry.contentRect.width);
    ratio = 0;
    schedule();
  });
  sizes.observe(column);
  const theme = new MutationObserver(schedule);
  theme.observe(document.body, { attributes: true });
  theme.observe(document.documentElement, { attributes: true });
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", schedule);
  for (const trait of traits) shared.model.on(`change:${trait}`, schedule);
  shared.changed = schedule;
  schedule();

  const dispose = () => {
    cancelAnimationFrame(frame);
    clearTimeout(speaking);
    sizes.disconnect();
    theme.disconnect();
    scheme.removeEventListener("change", schedule);
    for (const trait of traits) shared.model.off(`change:${trait}`, schedule);
    if (shared.timer) shared.send();
    root.remove();
  };
  return { redraw: schedule, dispose };
}

const SYNC_MILLISECONDS = 60;

/**
 * The model's traits, as this view has them: what it sets holds here at once, and for the kernel and the other views
 * soon, since a drag would swamp them. Set in the model only when it is sent, a value cannot be taken back by the
 * kernel's echo of an earlier one.
 */
class SharedState {
  constructor(model) {
    this.model = model;
    this.unsent = {};
    this.timer = 0;
    this.changed = () => {};
  }

  get(trait) {
    return trait in this.unsent ? this.unsent[trait] : this.model.get(trait);
  }

  /** Sets several traits at once, and draws them. */
  set(values) {
    this.ask(values);
    this.changed();
  }

  /** Sets traits that are for the kernel alone. */
  ask(values) {
    Object.assign(this.unsent, values);
    this.timer ||= setTimeout(() => this.send(), SYNC_MILLISECONDS);
  }

  send() {
    clearTimeout(this.timer);
    this.timer = 0;
    const values = this.unsent;
    this.unsent = {};
    for (const [trait, value] of Object.entries(values)) this.model.set(trait, value);
    this.model.save_changes();
  }
}

/** The photo; wait for its `decode()` before the first picture. */
function loadImage(model) {
  const image = new Image();
  image.src = model.get("_image");
  return image;
}
