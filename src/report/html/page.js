"use strict";
// The table of records. Values become text of elements, never markup. Only the
// rows in view have elements, so that 50,000 lines stay fast.
(() => {
  // The order of `Kind` in records.rs.
  const KINDS = ["change", "sent with it", "kept back", "carried", "problem", "request", "outcome", "drift"];
  const CHANGE = 0;
  const CARRIED = 3;
  const PROBLEM = 4;
  const OUTCOME = 6;
  const DRIFT = 7;
  const STATES = ["unknown", "new field", "hidden", "empty"];
  // The tallest element that every browser can scroll.
  const TALLEST = 8000000;
  const PRINTED = 1000;
  const SPARE = 12;

  const get = (id) => document.getElementById(id);
  const { names, rows } = JSON.parse(get("records").textContent);
  const scroll = get("scroll");
  const table = get("table");
  const body = get("body");
  const filters = { lane: get("lane"), field: get("field"), outcome: get("outcome"), kind: get("kind") };
  const search = get("search");
  const number = (n) => n.toLocaleString("en");

  // One line of the table for each item of each row. What is carried along
  // changes nothing, so it is told with its record and not here.
  const lines = [];
  for (const row of rows) {
    for (const item of row[6]) if (item[0] !== CARRIED) lines.push({ row, item, text: null });
  }

  const none = (value) => value === undefined || value === null;
  // A report without values (of one run, of a check) has no columns for them.
  const withValues = lines.some((line) => !none(line.item[2]) || !none(line.item[3]));
  const withFields = lines.some((line) => !none(line.item[1]));
  table.classList.toggle("no-values", !withValues);
  table.classList.toggle("no-fields", !withFields);
  if (lines.some((line) => line.item[0] === DRIFT)) {
    for (const head of document.querySelectorAll(".h-before")) head.textContent = "Acknowledged";
    for (const head of document.querySelectorAll(".h-after")) head.textContent = "Held now";
  }
  const columns = 3 + (withValues ? 2 : 0) + (withFields ? 1 : 0);

  const make = (name, className, text) => {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (!none(text)) node.textContent = text;
    return node;
  };
  const side = (value, other) => {
    if (none(value)) return null;
    if (typeof value === "number") return make("span", "state", STATES[value]);
    return value === "" ? make("span", "state", "empty text") : marked(value, other);
  };
  // A text, with a mark on what the other one has not, where they are alike.
  const marked = (value, other) => {
    const node = make("span", "value");
    const one = Array.from(value);
    const two = typeof other === "string" ? Array.from(other) : [];
    const least = Math.min(one.length, two.length);
    let start = 0;
    while (start < least && one[start] === two[start]) start++;
    let end = 0;
    while (end < least - start && one[one.length - 1 - end] === two[two.length - 1 - end]) end++;
    const middle = one.slice(start, one.length - end).join("");
    if (middle === "" || (start + end) * 3 < one.length) {
      node.textContent = value;
      return node;
    }
    node.append(one.slice(0, start).join(""), make("mark", "", middle), one.slice(one.length - end).join(""));
    return node;
  };
  const named = (index) => (none(index) ? "" : names[index]);
  const words = (outcome) => named(outcome).replace("in_doubt", "in doubt").replace(/\((.*)\)$/, ": $1");
  const clientOf = (row) => row[1] || (row[2] ? "line " + row[2] : "(no client)");

  // What an entry is, where that needs saying: a row that is left out on
  // purpose is no problem.
  const tag = (kind, row) => {
    const plain = kind === CHANGE || kind === OUTCOME || kind === DRIFT || (kind === PROBLEM && words(row[4]).startsWith("skipped"));
    return plain ? null : make("span", "tag kind-" + kind, KINDS[kind]);
  };
  // The outcome of the row, and what is special about the line.
  const note = (line, again, said) => {
    const { row, item } = line;
    const cell = make("td", "c-note");
    const kind = tag(item[0], row) || (row[5] && !again ? make("span", "tag", "first push") : null);
    if (kind) cell.append(kind, " ");
    const outcome = words(row[4]);
    if (outcome) cell.append(make("span", "outcome o-" + outcome.split(/[ :]/)[0], outcome));
    if (item[4] && !said) cell.append(" ", make("span", "muted", item[4]));
    cell.title = cell.textContent;
    return cell;
  };
  const textCell = (className, text) => {
    const cell = make("td", className, text);
    cell.title = text;
    return cell;
  };
  const valueCell = (className, value, other) => {
    const cell = make("td", className);
    const content = side(value, other);
    if (content) {
      cell.append(content);
      cell.title = content.textContent;
    }
    return cell;
  };

  let shown = lines;
  let height = 0;
  let drawn = "";

  const tableRow = (line, at) => {
    const tr = document.createElement("tr");
    tr.setAttribute("aria-rowindex", String(at + 2));
    const client = make("th", "c-key");
    client.scope = "row";
    const again = at > 0 && shown[at - 1].row === line.row;
    const button = make("button", again ? "client again" : "client", clientOf(line.row));
    button.type = "button";
    button.dataset.at = String(at);
    button.setAttribute("aria-haspopup", "dialog");
    client.append(button);
    const { item } = line;
    tr.append(client, textCell("c-lane", named(line.row[0])), textCell("c-field", named(item[1])));
    // Where there are no values, their columns have room for what is said.
    const said = withValues && none(item[2]) && none(item[3]) && item[4];
    if (said) {
      const cell = textCell("c-said", item[4]);
      cell.colSpan = 2;
      tr.append(cell);
    } else {
      tr.append(valueCell("c-before", item[2], item[3]), valueCell("c-after", item[3], item[2]));
    }
    tr.append(note(line, again, said));
    return tr;
  };
  // The room of the rows that have no elements.
  const spacer = () => {
    const tr = document.createElement("tr");
    tr.setAttribute("aria-hidden", "true");
    const cell = make("td", "spacer");
    cell.colSpan = columns;
    tr.append(cell);
    return { tr, set: (height) => (cell.style.height = Math.max(0, height) + "px") };
  };
  const above = spacer();
  const below = spacer();
  body.append(above.tr, below.tr);
  // The rows that have elements, by their place in `shown`.
  const drawnRows = new Map();

  const put = (first, last, before, after) => {
    const inside = (at) => at >= first && at < last;
    const active = document.activeElement;
    // The keyboard must not lose its place with the element it stood on.
    if (body.contains(active) && !inside(Number(active.dataset.at))) scroll.focus({ preventScroll: true });
    for (const [at, tr] of drawnRows) {
      if (!inside(at)) {
        tr.remove();
        drawnRows.delete(at);
      }
    }
    let next = above.tr.nextSibling;
    for (let at = first; at < last; at++) {
      if (drawnRows.has(at)) {
        next = drawnRows.get(at).nextSibling;
        continue;
      }
      const tr = tableRow(shown[at], at);
      body.insertBefore(tr, next);
      drawnRows.set(at, tr);
    }
    above.set(before);
    below.set(after);
  };
  const draw = () => {
    const all = shown.length * height;
    const tall = Math.min(all, TALLEST);
    const room = scroll.clientHeight;
    // Where the lines are too many for a browser, the scroll bar runs faster.
    const faster = all > tall ? (all - room) / (tall - room) : 1;
    const top = scroll.scrollTop * faster;
    const first = Math.max(0, Math.floor(top / height) - SPARE);
    const last = Math.min(shown.length, Math.ceil((top + room) / height) + SPARE);
    const before = Math.max(0, scroll.scrollTop - (top - first * height));
    const now = first + ":" + last + ":" + (faster > 1 ? scroll.scrollTop : "");
    if (now === drawn) return;
    drawn = now;
    put(first, last, before, tall - before - (last - first) * height);
  };
  const redraw = () => {
    drawn = "";
    put(0, 0, 0, 0);
    draw();
  };

  const textOf = (line) => {
    if (line.text === null) {
      const { row, item } = line;
      const parts = [row[1], row[3], named(row[0]), named(item[1]), item[2], item[3], item[4], words(row[4])];
      line.text = parts.filter((part) => typeof part === "string").join("\n").toLowerCase();
    }
    return line.text;
  };
  const apply = () => {
    const wanted = search.value.trim().toLowerCase();
    const chosen = (filter, value) => filter.value === "" || filter.value === String(value);
    shown = lines.filter((line) =>
      chosen(filters.lane, line.row[0]) && chosen(filters.field, line.item[1]) &&
      chosen(filters.outcome, line.row[4]) && chosen(filters.kind, line.item[0]) &&
      (wanted === "" || textOf(line).includes(wanted)));
    const clients = new Set(shown.map((line) => line.row[1] || line.row[2])).size;
    get("count").textContent = shown.length === 0
      ? "Nothing matches."
      : number(shown.length) + (shown.length < lines.length ? " of " + number(lines.length) : "") +
        (shown.length === 1 ? " entry, " : " entries, ") + number(clients) + (clients === 1 ? " client" : " clients");
    table.setAttribute("aria-rowcount", String(shown.length + 1));
    redraw();
    scroll.scrollTop = 0;
    draw();
  };

  const offer = (select, used, word) => {
    const options = [...used].filter((value) => !none(value)).map((value) => [word(value), value]);
    options.sort((a, b) => (a[0] < b[0] ? -1 : 1));
    for (const [text, value] of options) {
      const option = make("option", "", text);
      option.value = String(value);
      select.append(option);
    }
    select.parentElement.hidden = options.length < 2;
  };

  const fact = (list, name, value) => {
    if (value) list.append(make("dt", "", name), make("dd", "", value));
  };
  const show = (row) => {
    get("record-title").textContent = "Client " + clientOf(row);
    const facts = get("record-facts");
    facts.replaceChildren();
    fact(facts, "provider", named(row[0]));
    fact(facts, "record at the provider", row[3]);
    fact(facts, "line of the file", row[2] ? String(row[2]) : "");
    fact(facts, "outcome", words(row[4]) + (row[5] ? ", first push" : ""));
    get("record-items").replaceChildren(...row[6].map((item) => {
      const tr = document.createElement("tr");
      const what = make("td", "");
      const kind = tag(item[0], row);
      if (kind) what.append(kind, " ");
      if (item[4]) what.append(item[4]);
      tr.append(make("th", "", named(item[1])), valueCell("", item[2], item[3]), valueCell("", item[3], item[2]), what);
      tr.firstChild.scope = "row";
      return tr;
    }));
    get("record").showModal();
  };

  const uses = (of) => new Set(lines.map(of));
  offer(filters.lane, uses((line) => line.row[0]), named);
  offer(filters.field, uses((line) => line.item[1]), named);
  offer(filters.outcome, uses((line) => line.row[4]), words);
  offer(filters.kind, uses((line) => line.item[0]), (kind) => KINDS[kind]);

  get("browser").hidden = false;
  if (lines.length === 0) {
    get("browser").replaceChildren(make("p", "", "There is nothing to list."));
    return;
  }
  put(0, 1, 0, 0);
  height = drawnRows.get(0).getBoundingClientRect().height;
  apply();

  get("filters").addEventListener("submit", (event) => event.preventDefault());
  get("filters").addEventListener("input", apply);
  get("filters").addEventListener("reset", () => setTimeout(apply));
  scroll.addEventListener("scroll", draw, { passive: true });
  body.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) show(shown[Number(button.dataset.at)].row);
  });
  get("record-close").addEventListener("click", () => get("record").close());
  window.addEventListener("resize", redraw);
  window.addEventListener("beforeprint", () => {
    const last = Math.min(shown.length, PRINTED);
    const more = shown.length - last;
    get("printed").textContent = more > 0 ? "and " + number(more) + " more entries: narrow the list before printing, or use the CSV report." : "";
    put(0, last, 0, 0);
  });
  window.addEventListener("afterprint", () => {
    get("printed").textContent = "";
    redraw();
  });
})();
