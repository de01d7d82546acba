import assert from "node:assert/strict";
import test from "node:test";

import { boxesFor, emptyState, parseFrame, reduce } from "../js/protocol.js";

/** @param {bigint} number */
function message(number, jpeg = [0xff, 0xd8]) {
  const bytes = new ArrayBuffer(32 + jpeg.length);
  const view = new DataView(bytes);
  view.setBigUint64(0, number, true);
  view.setBigUint64(8, 5_000_000_001n, true);
  view.setBigUint64(16, 5_000_000_002n, true);
  view.setUint32(24, 1280, true);
  view.setUint32(28, 720, true);
  new Uint8Array(bytes, 32).set(jpeg);
  return bytes;
}

test("a frame is taken apart", () => {
  const frame = parseFrame(message(2n ** 40n + 7n));
  assert.equal(frame?.number, 2 ** 40 + 7);
  assert.equal(frame?.captureNs, 5_000_000_001);
  assert.equal(frame?.publishedNs, 5_000_000_002);
  assert.deepEqual([frame?.width, frame?.height], [1280, 720]);
  assert.deepEqual([...(frame?.jpeg ?? [])], [0xff, 0xd8]);
});

test("what is too short to be a frame is none", () => {
  assert.equal(parseFrame(new ArrayBuffer(0)), null);
  assert.equal(parseFrame(message(1n, [])), null);
});

const cat = { id: "e-1", track: 1, label: "cat", box: [1, 2, 3, 4], score: 0.9, start: 10 };
const dog = { id: "e-2", track: 2, label: "dog", box: [5, 6, 7, 8], score: 0.8, start: 20 };

test("events come, move and go", () => {
  let state = emptyState();
  state = reduce(state, "event", { kind: "new", frame: 1, after: cat });
  state = reduce(state, "event", { kind: "new", frame: 1, after: dog });
  const moved = { id: "e-1", box: [9, 9, 9, 9], score: 1 };
  state = reduce(state, "tracks", { frame: 2, tracks: [moved] });
  assert.deepEqual(state.open.get("e-1")?.box, [9, 9, 9, 9]);
  assert.deepEqual(state.open.get("e-2")?.box, [5, 6, 7, 8]);
  state = reduce(state, "event", { kind: "end", frame: 3, after: { ...dog, end: 30 } });
  assert.deepEqual([...state.open.keys()], ["e-1"]);
});

test("moves of somebody unknown are not believed", () => {
  const unknown = { id: "x", box: [], score: 1 };
  const state = reduce(emptyState(), "tracks", { frame: 1, tracks: [unknown] });
  assert.equal(state.open.size, 0);
});

test("a snapshot replaces everything", () => {
  const before = reduce(emptyState(), "event", { kind: "new", frame: 1, after: cat });
  const status = { daemons: {}, scene: {} };
  const state = reduce(before, "snapshot", { status, open: [dog] });
  assert.deepEqual([...state.open.keys()], ["e-2"]);
  assert.equal(state.status, status);
  assert.deepEqual(reduce(before, "snapshot", {}), { status: null, open: new Map() });
});

test("a state is never changed in place", () => {
  const before = reduce(emptyState(), "event", { kind: "new", frame: 1, after: cat });
  reduce(before, "event", { kind: "end", frame: 2, after: cat });
  reduce(before, "tracks", { frame: 2, tracks: [{ id: "e-1", box: [0, 0, 0, 0], score: 0 }] });
  assert.deepEqual(before.open.get("e-1"), cat);
});

test("unknown messages change nothing", () => {
  const state = emptyState();
  assert.equal(reduce(state, "something new", {}), state);
});

test("a frame's boxes are the newest that are not from its future", () => {
  const known = [3, 5, 9].map((frame) => ({ frame, tracks: [] }));
  assert.equal(boxesFor(known, 2), null);
  assert.equal(boxesFor(known, 3)?.frame, 3);
  assert.equal(boxesFor(known, 8)?.frame, 5);
  assert.equal(boxesFor(known, 100)?.frame, 9);
  assert.equal(boxesFor([], 1), null);
});
