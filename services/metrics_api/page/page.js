"use strict";
// Asks the same endpoints anyone else may ask, under the same rights, and draws what they answer.

const $ = (id) => document.getElementById(id);
const STAGES = ["discovery", "interest", "intent", "purchase", "engagement"];
const NAMES = {
  stage_entered: "Entered a stage", bounce: "Bounced", browse_abandoned: "Left after looking at products",
  cart_abandoned: "Left a cart behind", checkout_abandoned: "Left the checkout", cart_recovered: "Came back and bought",
  cart_lost: "Cart given up", cart_emptied: "Emptied the cart", converted: "Bought", slow_page: "Waited on a slow page",
  unexpected_cost: "Met an unexpected cost", form_struggle: "Struggled with a form", error: "Ran into an error",
  coupon_denied: "Had a coupon denied", rage_click: "Clicked in rage", dead_click: "Clicked where nothing happens",
  u_turn: "Turned straight back", loop: "Went in circles", payment_failed: "Payment failed",
  out_of_stock: "Found it out of stock", search_no_results: "Searched and found nothing",
  account_wall: "Sent to log in at checkout", support_sought: "Looked for help",
};
const LOOKS = {
  converted: "good", cart_recovered: "good", stage_entered: "info", cart_emptied: "info", bounce: "plain", browse_abandoned: "plain",
  cart_abandoned: "bad", checkout_abandoned: "bad", cart_lost: "bad", payment_failed: "bad", error: "bad",
};
const SHOWN = 14;
const CONNECTING = "Connecting…";
const counts = new Intl.NumberFormat("en");
const shares = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const state = { source: "", sources: [], stream: null, access: null, signals: new Map(), told: new Map() };

class Elsewhere extends Error {} // an answer about a storefront that is no longer shown

class Refused extends Error {
  constructor(status, body) { super(body.message || `answer ${status}`); this.status = status; }
}

async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters), asked = state.source;
  if (state.source && path !== "/v1/sources") query.set("source", state.source);
  const answer = await fetch(`${path}?${query}`, { headers: { Accept: "application/json" } });
  const body = await answer.json().catch(() => ({}));
  if (asked && asked !== state.source) throw new Elsewhere();
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
}

function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function money(value, currency) {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency, currencyDisplay: "narrowSymbol" }).format(value);
  } catch { return `${value} ${currency}`; }
}

function total(rows) {
  return rows.reduce((sum, row) => sum + (row.value || 0), 0);
}

// The same form for every moment, right however long they stand there.
function moment(ms) {
  const when = new Date(ms), year = when.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return when.toLocaleString("en-GB", { day: "numeric", month: "short", ...year, hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

// Here now

async function drawLive() {
  const rows = await ask("/v1/metrics/live_visitors", { group_by: "stage" });
  const found = new Map(rows.map((row) => [row.stage, row.value || 0]));
  const here = total(rows);
  $("live").textContent = counts.format(here);
  $("live-word").textContent = here === 1 ? "visitor" : "visitors";
  const most = Math.max(1, ...found.values());
  const shown = found.get("unstaged") ? [...STAGES, "unstaged"] : STAGES;
  $("stages").replaceChildren(...shown.map((stage, place) => {
    const line = element("li"), bar = element("span", "", { class: "bar" }), fill = element("i");
    fill.style.inlineSize = `${((found.get(stage) || 0) / most) * 100}%`;
    fill.style.background = `var(--s${place + 1}, var(--soft))`;
    bar.append(fill);
    line.append(element("span", stage === "unstaged" ? "Just here" : stage[0].toUpperCase() + stage.slice(1)), bar, element("b", counts.format(found.get(stage) || 0)));
    return line;
  }));
}

// Last 24 hours

const NUMBERS = [
  ["Sessions", "sessions", count], ["Bounce rate", "bounce_rate", rate("ended visits")],
  ["Conversion", "conversion_rate", conversion], ["Carts abandoned", "cart_abandonment_rate", rate("carts")],
  ["Orders", "orders", count], ["Revenue", "revenue", sums],
];

function count(rows) {
  return [counts.format(total(rows)), ""];
}

function rate(of) {
  return ([row]) => row && row.n
    ? [shares.format(row.value), `${counts.format(row.k)} of ${counts.format(row.n)} ${of}${row.open ? `, ${counts.format(row.open)} open` : ""}`]
    : ["–", "none yet"];
}

// The share of sessions; orders that a shop's backend reports of nobody who visited are beside it.
function conversion(rows, answers) {
  const [value, context] = rate("sessions")(rows);
  const more = total(answers.get("orders")) > (rows[0]?.k || 0);
  return [value, more ? `${context}; orders without a visit do not count` : context];
}

function sums(rows) {
  const some = rows.filter((row) => row.value);
  return [some.map((row) => money(row.value, row.currency)).join(" + ") || "–", some.length ? "" : "none yet"];
}

async function drawNumbers() {
  const answers = new Map(await Promise.all(NUMBERS.map(async ([, name]) => [name, await ask(`/v1/metrics/${name}`, { from: "now-24h", to: "now" })])));
  $("numbers").replaceChildren(...NUMBERS.map(([label, name, shown]) => {
    const [value, context] = shown(answers.get(name), answers), tile = element("div");
    tile.classList.toggle("long", value.length > 8);
    tile.append(element("dt", label), element("dd", value));
    if (context) tile.append(element("dd", context, { class: "small" }));
    return tile;
  }));
  drawHours(await ask("/v1/metrics/sessions", { from: "now-24h", to: "now", step: "1h" }));
}

function drawHours(rows) {
  const most = Math.max(1, ...rows.map((row) => row.value));
  const busiest = rows.find((row) => row.value === most);
  $("hours").setAttribute("aria-label", busiest ? `Sessions each hour; at most ${most}, from ${new Date(busiest.time).toLocaleTimeString("en")}` : "No sessions yet");
  $("hours").replaceChildren(...rows.map((row) => {
    const bar = element("i", "", { title: `${new Date(row.time).toLocaleString("en", { weekday: "short", hour: "numeric", minute: "2-digit" })}: ${counts.format(row.value)}` });
    bar.style.blockSize = `${(row.value / most) * 100}%`;
    bar.classList.toggle("unsure", !row.complete);
    return bar;
  }));
}

// Latest signals

function wanted(signal) {
  return $("all").checked || signal.kind !== "stage_entered";
}

function signalLine(signal, fresh) {
  const line = element("li", "", { class: LOOKS[signal.kind] || "warn" });
  line.classList.toggle("taken", signal.retracted);
  line.classList.toggle("fresh-one", fresh);
  const text = element("span", NAMES[signal.kind] || signal.kind);
  const stage = signal.kind === "stage_entered" ? signal.stage : "";
  const unpriced = Number(signal.value) === 0 && signal.lines?.length && signal.lines.every((line) => line.price == null);
  const about = [stage, unpriced ? "value unknown" : signal.value && money(signal.value, signal.currency), signal.lines?.[0]?.name, signal.details?.path, signal.retracted && "taken back"];
  for (const part of about.filter(Boolean)) {
    text.append(element("em", " · "));
    text.append(Object.assign(element("bdi", part), { className: "about" }));
  }
  text.append(" ", why(signal.signal_id, text));
  const when = element("time", moment(signal.at_ms), { datetime: new Date(signal.at_ms).toISOString() });
  line.append(element("i", "", { "aria-hidden": "true" }), text, when);
  return line;
}

// A link to the whole explanation; followed here, its words are shown in place.
function why(id, text) {
  const link = element("a", "why?", { href: `/v1/explain/${id}`, class: "small", "aria-label": `why: ${text.textContent}`, "aria-expanded": state.told.has(id) });
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    guarded(async () => {
      if (!state.told.delete(id)) state.told.set(id, (await ask(`/v1/explain/${id}`)).text);
      drawSignals("", id);
    });
  });
  if (!state.told.has(id)) return link;
  const both = document.createDocumentFragment();
  both.append(link, element("p", state.told.get(id), { class: "small" }));
  return both;
}

function drawSignals(fresh = "", focused = "") {
  const rows = [...state.signals.values()].filter(wanted).sort((a, b) => b.at_ms - a.at_ms);
  state.signals = new Map(rows.slice(0, 200).map((row) => [row.signal_id, row]));
  $("signals").replaceChildren(...rows.slice(0, SHOWN).map((row) => signalLine(row, row.signal_id === fresh)));
  $("none").hidden = rows.length > 0;
  if (focused) $("signals").querySelector(`a[href$="${focused}"]`)?.focus();
}

async function follow() {
  state.stream?.close();
  const kinds = Object.keys(NAMES).filter((kind) => $("all").checked || kind !== "stage_entered").join(",");
  const { rows } = await ask("/v1/signals", { limit: SHOWN, kind: kinds });
  state.signals = new Map(rows.map((row) => [row.signal_id, row]));
  drawSignals();
  const query = new URLSearchParams({ source: state.source, kind: kinds });
  state.stream = new EventSource(`/v1/signals/stream?${query}`);
  state.stream.onmessage = (message) => {
    const signal = JSON.parse(message.data);
    state.signals.set(signal.signal_id, signal);
    drawSignals(signal.signal_id);
  };
}

// What to do next

const CURL = () => `curl ${location.origin}/v1/events -H 'Authorization: Bearer YOUR_WRITE_KEY' \\
  -H 'Content-Type: application/json' -d '{"type":"page_view","visitor_id":"me","url":"https://your.shop/"}'`;

function step(title, text, code = "", link = "") {
  const line = element("li"), inner = element("div");
  inner.append(element("strong", title), element("p", text));
  if (code) inner.append(element("pre", code));
  if (link) inner.append(element("a", "Show them", { href: link, "aria-label": `Show them: ${title}` }));
  line.append(inner);
  return line;
}

async function drawSteps() {
  const mine = state.sources.filter((source) => !source.demo && !source.test), steps = [];
  const [refused, carts, orders] = await Promise.all(
    ["/v1/dead-letters", "/v1/carts", "/v1/orders"].map((path) => ask(path, { limit: 1 })));
  const [now] = await ask("/v1/metrics/open_carts"); // rows of open carts reach storage a minute later
  const here = encodeURIComponent(state.source);
  if (!mine.some((source) => source.events)) steps.push(step("Send your first event", "Use the write key that Waymark printed at its first start, then watch it arrive here.", CURL()));
  if (refused.rows.length) steps.push(step("Mend what was refused", refused.rows[0].message, "", `/v1/dead-letters?source=${here}`));
  if (!carts.rows.length && !now.value) steps.push(step("Report carts", "Send cart_add, cart_remove and checkout_start, so that abandoned carts can be told."));
  else if (carts.rows.length && !orders.rows.length) steps.push(step("Report orders", "Send a purchase with its order_id and value, best from your backend. Without it every cart looks abandoned."));
  if (carts.rows.length) steps.push(step("Look at the carts left behind", "Each with its lines, value, cause and where to bring the shopper back.", "", `/v1/carts?outcome=abandoned&source=${here}`));
  steps.push(step("Act on each signal within seconds", "Follow the stream from your own code. It resumes with nothing lost.", `curl -N '${location.origin}/v1/signals/stream?source=${here}'${state.access.open ? "" : " -H 'Authorization: Bearer READ_TOKEN'"}`));
  $("steps").replaceChildren(...steps.slice(0, 4));
}

// The page as a whole

function tell(text, look = "") {
  $("fresh").className = `fresh ${look}`;
  $("fresh").textContent = text;
}

async function drawFresh() {
  const { hops } = await ask("/v1/health/pipeline");
  const trouble = hops.find((hop) => hop.trouble);
  const shown = $("live").textContent !== "–" && $("numbers").childElementCount > 0;
  if (trouble) tell(`${trouble.name}: ${trouble.trouble}`, "bad");
  else tell(...(shown ? ["Live", "ok"] : [CONNECTING]));
}

async function guarded(draw) {
  try { await draw(); } catch (error) {
    if (error instanceof Elsewhere) return;
    if (error.status === 401) return signIn();
    tell(error instanceof Refused ? error.message : "Waymark does not answer", "bad");
  }
}

function signIn() {
  state.stream?.close();
  $("board").hidden = true;
  $("signin").hidden = false;
  tell("Signed out");
  if (new URLSearchParams(location.search).get("signin") === "failed") $("wrong").textContent = "This token is not known.";
  $("token").focus();
}

function choose(source) {
  state.source = source;
  const chosen = state.sources.find((one) => one.name === source);
  const notices = [];
  if (chosen?.demo) notices.push("This is the demo, a simulated shop.");
  if (chosen?.test) notices.push("This is test traffic; it counts in no metric.");
  if (state.access.open) notices.push("Reads are open to every program on this machine, because Waymark listens on loopback only; WAYMARK_OPEN_READS=false closes them.");
  $("notice").textContent = notices.join(" ");
  $("notice").hidden = !notices.length;
  state.stream?.close();
  state.signals.clear();
  for (const drawn of ["stages", "numbers", "hours", "signals", "steps"]) $(drawn).replaceChildren();
  $("live").textContent = "–";
  tell(CONNECTING);
  const first = () => Promise.all([drawLive(), drawNumbers()]).then(drawFresh);
  for (const draw of [drawFresh, first, drawSteps, follow]) guarded(draw);
}

// A shop's first event turns the page from the demo to the shop.
async function drawSources() {
  const before = state.sources.find((one) => one.default)?.name;
  if (state.sources.some((one) => one.default && !one.demo && one.events)) return;
  state.sources = (await ask("/v1/sources")).rows;
  const meant = state.sources.find((one) => one.default) || state.sources[0];
  if (!meant) throw new Error("no source yet");
  const known = [...$("source").options].map((option) => option.value);
  if (known.join() !== state.sources.map((one) => one.name).join()) {
    $("source").replaceChildren(...state.sources.map((one) => element("option", one.name + (one.demo && one.name !== "demo" ? " (demo)" : ""), { value: one.name })));
    $("source").value = state.source;
    $("source").parentElement.hidden = state.sources.length < 2;
  }
  if (!state.source || (meant.name !== before && state.source === before)) {
    $("source").value = meant.name;
    choose(meant.name);
  }
}

async function start() {
  state.access = await ask("/v1/access");
  $("signout").hidden = state.access.open;
  $("board").hidden = false;
  await drawSources();
  for (const [draw, every] of [[drawLive, 3], [drawFresh, 5], [drawSources, 10], [drawNumbers, 15], [drawSteps, 30]]) {
    setInterval(() => guarded(draw), every * 1000);
  }
}

$("source").addEventListener("change", (event) => choose(event.target.value));
$("all").addEventListener("change", () => guarded(follow));
guarded(start);
