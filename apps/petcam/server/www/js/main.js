// The page: what is heard goes into one record, and what is shown follows from it.

import { Charts } from "./charts.js";
import { Feed } from "./feed.js";
import { howLong, moment, places, short } from "./format.js";
import { listenToKeys } from "./keys.js";
import { Overlay } from "./overlay.js";
import { daemonChip, notice, serverChip } from "./presence.js";
import { boxesFor, emptyState, reduce } from "./protocol.js";
import { Screen } from "./screen.js";
import { VideoSocket } from "./socket.js";
import { cycleTheme, restoreTheme } from "./theme.js";
import { VisitList, portrait } from "./visits.js";

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

const BOXES_KEPT = 30;
const HISTORY_ASKED = 100;

let state = emptyState();
/** @type {import("./presence.js").Heard & {paused: boolean, frameAt: number}} */
const heard = {
  status: null, report: null, reportAt: 0, serverAt: 0, connected: false,
  since: performance.now(), paused: false, frameAt: -Infinity,
};
const streams = { feed: false, video: false };
/** @type {import("./protocol.js").Boxes[]} */
let boxes = [];
let frame = { number: -1, width: 1280, height: 720 };
/** @type {{ages: number[], frames: number}} */
let second = { ages: [], frames: 0 };

const stage = element("stage");
const overlay = new Overlay(/** @type {HTMLCanvasElement} */ (element("overlay")));
const charts = new Charts();
const visits = new VisitList(element("events"), element("no-events"), showDetail);

// ---- what is heard ---------------------------------------------------------------------------

function hearServer() {
  heard.serverAt = performance.now();
}

/**
 * @param {keyof streams} name
 * @param {boolean} connected
 */
function hearConnection(name, connected) {
  const before = heard.connected;
  streams[name] = connected;
  heard.connected = streams.feed || streams.video;
  if (connected) hearServer();
  if (before && !heard.connected) heard.since = performance.now();
  showPresence();
}

const screen = new Screen(
  /** @type {HTMLCanvasElement} */ (element("video")),
  (shown) => {
    const now = performance.now();
    frame = shown;
    heard.frameAt = now;
    second.frames++;
    const age = socket.clock.age(shown.captureNs, now);
    if (age !== null) second.ages.push(age);
    stage.style.setProperty("--ratio", String(shown.width / shown.height));
    drawOverlay();
    if (stage.dataset["state"] !== "live") showPresence();
  },
);

const socket = new VideoSocket({
  frame: (each, done) => {
    hearServer();
    screen.show(each, done);
  },
  boxes: (each) => {
    boxes.push(each);
    if (boxes.length > BOXES_KEPT) boxes.shift();
    drawOverlay();
  },
  report: (report) => {
    hearServer();
    heard.report = report;
    heard.reportAt = performance.now();
    showReport(report);
    showPresence();
  },
  connected: (connected) => {
    boxes = [];
    hearConnection("video", connected);
  },
});

const feed = new Feed(
  (type, data) => {
    hearServer();
    state = reduce(state, type, data);
    heard.status = state.status;
    if (type === "snapshot") {
      visits.closeAllBut(new Set(state.open.keys()));
      visits.add([...state.open.values()]);
      void loadHistory();
    } else if (type === "event") {
      visits.add([data.after]);
    }
    showScene();
    showChoices();
    showPresence();
    drawOverlay();
  },
  (connected) => hearConnection("feed", connected),
);

async function loadHistory() {
  try {
    const answer = await fetch(`/api/v1/events?limit=${HISTORY_ASKED}`);
    if (!answer.ok) return;
    const { events } = await answer.json();
    // What the history holds as open may have ended while nobody wrote: the stream knows better.
    visits.add(events.filter((/** @type {import("./protocol.js").Visit} */ visit) =>
      visit.end || state.open.has(visit.id)));
    showChoices();
  } catch {
    // The server is gone again; the next snapshot asks anew.
  }
}

// ---- what is shown ---------------------------------------------------------------------------

function showPresence() {
  const now = performance.now();
  for (const item of document.querySelectorAll("#chips li")) {
    const chipItem = /** @type {HTMLElement} */ (item);
    const name = chipItem.dataset["daemon"] ?? "";
    const chip = name === "server" ? serverChip(heard, now) : daemonChip(name, heard, now);
    chipItem.dataset["state"] = chip.state;
    chipItem.title = chip.title;
    chipItem.setAttribute("aria-label", `${name} ${chip.state}`);
    const text = chipItem.querySelector("span");
    if (text && text.textContent !== chip.text) text.textContent = chip.text;
  }
  const instead = notice(heard, now);
  stage.dataset["state"] = instead?.state ?? "live";
  if (!instead) return;
  const [headline, advice] = element("notice").querySelectorAll("strong, span");
  if (headline?.textContent !== instead.headline) headline?.replaceChildren(instead.headline);
  if (advice?.textContent !== instead.advice) advice?.replaceChildren(instead.advice);
}

/** The socket's boxes are exact in each frame; without them the event stream's are near enough. */
function drawOverlay() {
  const live = boxesFor(boxes, frame.number)?.tracks;
  overlay.draw(live ?? [...state.open.values()], frame);
}

function showScene() {
  const scene = state.status?.scene;
  overlay.zones = scene?.zones ?? [];
  const line = element("scene");
  line.hidden = !scene?.detector;
  line.textContent = `${scene?.detector ?? ""} detector${scene?.demo ? " · demo scene" : ""}`;
}

/** @param {import("./protocol.js").Report} report */
function showReport(report) {
  const ages = second.ages;
  const age = ages.length ? ages.reduce((sum, each) => sum + each, 0) / ages.length : null;
  charts.push(report, age);
  const parts = [`${frame.width} × ${frame.height}`, `${second.frames} fps`];
  if (age !== null) parts.push(`${short(age)} ms`);
  element("readout").textContent = heard.paused ? "" : parts.join(" · ");
  second = { ages: [], frames: 0 };
}

function showChoices() {
  const { labels, zones } = visits.choices;
  offer(select("by-label"), labels);
  offer(select("by-zone"), zones);
}

/** @param {string} id */
function select(id) {
  return /** @type {HTMLSelectElement} */ (element(id));
}

/**
 * @param {HTMLSelectElement} list
 * @param {string[]} values
 */
function offer(list, values) {
  const known = new Set([...list.options].map((option) => option.value));
  for (const value of values) if (!known.has(value)) list.add(new Option(value, value));
}

/** @param {import("./protocol.js").Visit} visit */
function showDetail(visit) {
  const dialog = /** @type {HTMLDialogElement} */ (element("detail"));
  const now = Date.now();
  const picture = portrait(visit);
  picture.width = 256;
  picture.height = 192;
  dialog.querySelector("img")?.replaceWith(picture);
  const title = dialog.querySelector("h2");
  if (title) title.textContent = visit.label;
  /** @type {[string, string][]} */
  const facts = [
    ["From", moment(visit.start, now)],
    ["Until", visit.end ? moment(visit.end, now) : "still here"],
    ["Duration", howLong(visit, now)],
    ["Zones", places(visit).join(", ") || "none"],
    ["Score", `${Math.round(visit.score * 100)} %`],
    ["Track", `#${visit.track}`],
    ["Event", visit.id],
  ];
  if (visit.why) facts.push(["Ended by", visit.why]);
  dialog.querySelector("dl")?.replaceChildren(...facts.flatMap(([name, value]) => {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    dt.textContent = name;
    dd.textContent = value;
    return [dt, dd];
  }));
  dialog.showModal();
}

// ---- what is pressed -------------------------------------------------------------------------

/**
 * @param {string} id
 * @param {boolean} on
 */
function press(id, on) {
  element(id).setAttribute("aria-pressed", String(on));
}

/** A hidden page needs no video, and the camera encodes none for it. */
function chooseMode() {
  socket.mode = document.hidden ? "off" : heard.paused ? "still" : "video";
}

const actions = {
  pause() {
    heard.paused = !heard.paused;
    press("pause", heard.paused);
    element("pause").textContent = heard.paused ? "Resume" : "Pause";
    chooseMode();
    showPresence();
  },
  boxes() {
    overlay.showBoxes = !overlay.showBoxes;
    press("boxes", overlay.showBoxes);
    drawOverlay();
  },
  zones() {
    overlay.showZones = !overlay.showZones;
    press("zones", overlay.showZones);
    drawOverlay();
  },
  snapshot() {
    const boxed = overlay.showBoxes ? "?boxes=1" : "";
    window.open(`/snapshot.jpg${boxed}`, "_blank", "noopener");
  },
  fullscreen() {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void stage.requestFullscreen();
  },
  theme() {
    cycleTheme();
    charts.redraw();
  },
  help() {
    /** @type {HTMLDialogElement} */ (element("help")).showModal();
  },
  next: () => visits.choose(1),
  previous: () => visits.choose(-1),
  open: () => visits.openChosen(),
};

restoreTheme();
listenToKeys(actions);
for (const id of /** @type {const} */ (["pause", "boxes", "zones", "fullscreen", "theme"])) {
  element(id).addEventListener("click", actions[id]);
}
element("help-open").addEventListener("click", actions.help);
element("snapshot").addEventListener("click", (click) => {
  click.preventDefault();
  actions.snapshot();
});
for (const id of ["by-label", "by-zone"]) {
  select(id).addEventListener("change", () =>
    visits.filterBy({ label: select("by-label").value, zone: select("by-zone").value }));
}
window.addEventListener("resize", () => {
  drawOverlay();
  charts.redraw();
});
document.addEventListener("visibilitychange", () => {
  heard.since = performance.now();
  chooseMode();
});
setInterval(() => {
  if (document.hidden) return;
  socket.check();
  showPresence();
}, 250);
setInterval(() => {
  if (!document.hidden) visits.tick();
}, 1000);

chooseMode();
feed.open();
