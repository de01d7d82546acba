// The list of events: pure bookkeeping and, below it, the elements.

import { duration, howLong, moment, places } from "./format.js";

/** @typedef {import("./protocol.js").Visit} Visit */

/** How often the portrait of somebody who is here is asked for. */
const PORTRAIT_SECONDS = 3;

/** As many events the page keeps. */
export const VISITS_MAX = 200;

/**
 * Puts what is new over what was known; the youngest first.
 * @param {Visit[]} known
 * @param {Visit[]} news
 * @returns {Visit[]}
 */
export function merge(known, news) {
  const all = new Map(known.map((visit) => [visit.id, visit]));
  for (const visit of news) {
    // A list that was asked for earlier may come after the message that ended the event.
    if (!(all.get(visit.id)?.end && !visit.end)) all.set(visit.id, visit);
  }
  return [...all.values()]
    .sort((a, b) => b.start - a.start || (a.id < b.id ? 1 : -1))
    .slice(0, VISITS_MAX);
}

/**
 * @param {Visit[]} visits
 * @param {{label: string, zone: string}} by  empty: any
 */
export function filter(visits, by) {
  return visits.filter(
    (visit) =>
      (!by.label || visit.label === by.label) && (!by.zone || places(visit).includes(by.zone)),
  );
}

/**
 * What anybody could filter by.
 * @param {Visit[]} visits
 */
export function choices(visits) {
  return {
    labels: [...new Set(visits.map((visit) => visit.label))].sort(),
    zones: [...new Set(visits.flatMap(places))].sort(),
  };
}

export class VisitList {
  /** @type {Visit[]} */ #visits = [];
  #by = { label: "", zone: "" };
  /** @type {HTMLElement} */ #list;
  /** @type {HTMLElement} */ #empty;
  /** @type {(visit: Visit) => void} */ #open;
  /** @type {Map<string, HTMLLIElement>} */ #items = new Map();
  #first = true;
  #ticks = 0;

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} empty  shown while the list is
   * @param {(visit: Visit) => void} open  somebody wants to see more
   */
  constructor(list, empty, open) {
    this.#list = list;
    this.#empty = empty;
    this.#open = open;
  }

  get choices() {
    return choices(this.#visits);
  }

  /** @param {Visit[]} news */
  add(news) {
    this.#visits = merge(this.#visits, news);
    this.#render();
    if (this.#visits.length) this.#first = false;
  }

  /**
   * After a gap: what is open now is all that is open.
   * @param {Set<string>} open
   */
  closeAllBut(open) {
    this.#visits = this.#visits.map((visit) =>
      visit.end || open.has(visit.id) ? visit : { ...visit, end: Date.now() },
    );
    this.#render();
  }

  /** @param {{label: string, zone: string}} by */
  filterBy(by) {
    this.#by = by;
    this.#first = true;
    this.#render();
    this.#first = false;
  }

  /** Called each second: durations go on, and the portraits of who is here get better. */
  tick() {
    const now = Date.now();
    this.#ticks++;
    for (const visit of this.#visits) {
      const item = this.#items.get(visit.id);
      if (!item) continue;
      setText(item, ".when", when(visit, now));
      if (!visit.end && this.#ticks % PORTRAIT_SECONDS === 0) this.#showPortrait(item, visit);
    }
  }

  /** @param {number} by  items down, negative up */
  choose(by) {
    const items = /** @type {HTMLElement[]} */ ([...this.#list.children]);
    const at = items.findIndex((item) => item.classList.contains("chosen"));
    const next = items[Math.max(0, Math.min(items.length - 1, at + by))];
    items[at]?.classList.remove("chosen");
    next?.classList.add("chosen");
    next?.scrollIntoView({ block: "nearest" });
  }

  openChosen() {
    /** @type {HTMLElement | null} */ (this.#list.querySelector(".chosen"))?.click();
  }

  #render() {
    const shown = filter(this.#visits, this.#by);
    const keep = new Set(shown.map((visit) => visit.id));
    for (const [id, item] of this.#items) {
      if (keep.has(id)) continue;
      item.remove();
      this.#items.delete(id);
    }
    let before = /** @type {Element | null} */ (this.#list.firstElementChild);
    for (const visit of shown) {
      const item = this.#items.get(visit.id) ?? this.#make(visit);
      this.#fill(item, visit);
      if (item === before) before = item.nextElementSibling;
      else this.#list.insertBefore(item, before);
    }
    this.#empty.hidden = shown.length > 0;
  }

  /** @param {Visit} visit */
  #make(visit) {
    const item = document.createElement("li");
    item.dataset["id"] = visit.id;
    if (!this.#first) item.classList.add("fresh");
    for (const name of ["portrait", "who", "when", "now"]) {
      const part = document.createElement("span");
      part.className = name;
      item.append(part);
    }
    item.onclick = () => {
      const latest = this.#visits.find((each) => each.id === visit.id);
      if (latest) this.#open(latest);
    };
    this.#items.set(visit.id, item);
    return item;
  }

  /**
   * @param {HTMLLIElement} item
   * @param {Visit} visit
   */
  #fill(item, visit) {
    const state = visit.end ? "ended" : "open";
    const ended = item.dataset["state"] === "open" && state === "ended";
    item.dataset["state"] = state;
    item.dataset["label"] = visit.label;
    item.dataset["zone"] = visit.zone ?? "";
    const who = item.querySelector(".who");
    const name = document.createElement("span");
    name.textContent = visit.label;
    who?.replaceChildren(name, ...places(visit).map(zoneTag));
    setText(item, ".when", when(visit, Date.now()));
    if (ended || !item.dataset["pictured"]) this.#showPortrait(item, visit);
  }

  /**
   * @param {HTMLLIElement} item
   * @param {Visit} visit
   */
  #showPortrait(item, visit) {
    item.dataset["pictured"] = "yes";
    const image = portrait(visit);
    // Only once it is there does it take the place of the one before, or of the paw.
    image.onload = () => item.querySelector(".portrait")?.replaceChildren(image);
  }
}

/**
 * The picture gets better until the end, so until then each is asked for anew.
 * @param {Visit} visit
 */
export function portrait(visit) {
  const image = document.createElement("img");
  image.alt = "";
  const which = visit.end ? "" : `?at=${Date.now()}`;
  image.src = `/api/v1/events/${encodeURIComponent(visit.id)}/portrait.jpg${which}`;
  return image;
}

/** @param {string} zone */
function zoneTag(zone) {
  const tag = document.createElement("span");
  tag.className = "zone";
  tag.textContent = zone;
  return tag;
}

/**
 * @param {Visit} visit
 * @param {number} now
 */
function when(visit, now) {
  const ago = now - visit.start;
  const start = ago < 3600_000 && visit.end ? `${duration(ago)} ago` : moment(visit.start, now);
  return `${start} · ${visit.end ? howLong(visit, now) : `here for ${howLong(visit, now)}`}`;
}

/**
 * @param {Element} item
 * @param {string} selector
 * @param {string} text
 */
function setText(item, selector, text) {
  const part = item.querySelector(selector);
  if (part && part.textContent !== text) part.textContent = text;
}
