import assert from "node:assert/strict";
import test from "node:test";

import { ServerClock } from "../js/clock.js";
import { duration, kilobytes, short } from "../js/format.js";
import { actionOf } from "../js/keys.js";
import { LENGTH, Series, ceiling, polyline } from "../js/series.js";
import { VISITS_MAX, choices, filter, merge } from "../js/visits.js";

test("the server's clock is taken from the quickest answer", () => {
  const clock = new ServerClock();
  assert.equal(clock.age(0, 0), null);
  clock.add(1000, 501_000_000, 1002); // 1 ms each way: their 501 ms are our 1001 ms
  clock.add(2000, 1_900_000_000, 2800); // slow, and wrong by as much
  clock.add(3000, 1, 2999); // an answer before the question
  assert.equal(clock.age(501_000_000, 1001), 0);
  assert.equal(clock.age(501_000_000, 1031), 30);
  assert.equal(clock.age(900_000_000, 1031), 0); // never from the future
});

test("old measurements of the clock are forgotten", () => {
  const clock = new ServerClock();
  clock.add(0, 0, 0);
  for (let i = 1; i <= 16; i++) clock.add(i, (i + 5.5) * 1e6, i + 1);
  assert.equal(clock.age(100e6, 100), 5);
});

test("durations", () => {
  const cases = { 0: "0.0 s", 400: "0.4 s", 8900: "8 s", 65_000: "1 min 5 s", 600_000: "10 min" };
  for (const [ms, text] of Object.entries(cases)) assert.equal(duration(Number(ms)), text);
  assert.equal(duration(2 * 3600_000 + 5 * 60_000), "2 h 5 min");
  assert.equal(duration(-5), "0.0 s");
});

test("numbers have three digits at most", () => {
  const cases = /** @type {[number, string][]} */ ([
    [0, "0"], [0.126, "0.13"], [2.5, "2.5"], [9.96, "10"], [23.14, "23.1"], [118.4, "118"],
    [NaN, "–"],
  ]);
  for (const [value, text] of cases) assert.equal(short(value), text);
  assert.equal(kilobytes(2450), "2.45 KB");
});

test("the scale of a chart is round", () => {
  const cases = /** @type {[number, number][]} */ ([
    [0, 1], [0.3, 0.5], [1, 1], [1.01, 2], [4, 5], [7, 10], [30, 50], [118, 200],
  ]);
  for (const [value, most] of cases) assert.equal(ceiling(value), most);
});

test("a series is short, and its line breaks where nobody knew", () => {
  const series = new Series();
  for (let i = 0; i < LENGTH + 50; i++) series.push(i);
  assert.equal(series.values.length, LENGTH);
  assert.equal(series.max, LENGTH + 49);
  const pieces = polyline([1, 2, null, 4], 119, 100, 4);
  assert.deepEqual(pieces, [[[116, 75], [117, 50]], [[119, 0]]]);
  assert.deepEqual(polyline([], 10, 10, 1), []);
});

test("keys act, but not where somebody types or presses a button", () => {
  const press = { key: "b", ctrlKey: false, metaKey: false, altKey: false };
  assert.equal(actionOf(press, "BODY"), "boxes");
  assert.equal(actionOf({ ...press, ctrlKey: true }, "BODY"), null);
  assert.equal(actionOf(press, "SELECT"), null);
  assert.equal(actionOf({ ...press, key: " " }, "BUTTON"), null);
  assert.equal(actionOf({ ...press, key: " " }, "CANVAS"), "pause");
  assert.equal(actionOf({ ...press, key: "Q" }, "BODY"), null);
});

const visit = (/** @type {number} */ n, rest = {}) => ({
  id: `e-${n}`, track: n, label: "cat", box: [0, 0, 1, 1], score: 1, start: n * 1000, ...rest,
});

test("the list is merged, youngest first, and bounded", () => {
  const list = merge([visit(1), visit(3)], [visit(2), visit(3, { zone: "bowl" })]);
  assert.deepEqual(list.map((each) => each.id), ["e-3", "e-2", "e-1"]);
  assert.equal(list[0]?.zone, "bowl");
  const many = Array.from({ length: VISITS_MAX + 20 }, (_, n) => visit(n));
  assert.equal(merge([], many).length, VISITS_MAX);
});

test("an older answer does not bring back what has ended", () => {
  const list = merge([visit(1, { end: 5000 })], [visit(1)]);
  assert.equal(list[0]?.end, 5000);
});

test("who and where can be chosen", () => {
  const list = [
    visit(1), visit(2, { label: "dog", zones: ["bowl", "sofa"] }), visit(3, { zone: "door" }),
  ];
  assert.deepEqual(choices(list), { labels: ["cat", "dog"], zones: ["bowl", "door", "sofa"] });
  const shown = (/** @type {{label: string, zone: string}} */ by) =>
    filter(list, by).map((each) => each.track);
  assert.deepEqual(shown({ label: "", zone: "" }), [1, 2, 3]);
  assert.deepEqual(shown({ label: "cat", zone: "" }), [1, 3]);
  assert.deepEqual(shown({ label: "", zone: "sofa" }), [2]);
  assert.deepEqual(shown({ label: "cat", zone: "sofa" }), []);
});
