import assert from "node:assert/strict";
import test from "node:test";

import { SERVER_SILENT_MS, daemonChip, notice, serverChip } from "../js/presence.js";

const status = (/** @type {string} */ state, note = "") => ({
  daemons: { camera: { state, note, since: 0 } },
  scene: {},
});

/** The server answered just now, at 10,000 ms of the page's clock. */
function heard(changes = {}) {
  return {
    status: status("running"), report: null, reportAt: 0, serverAt: 10_000, connected: true,
    since: 0, paused: false, frameAt: 10_000, ...changes,
  };
}

test("a server that answers is there; a silent or closed one is missing within 2 s", () => {
  assert.equal(serverChip(heard(), 10_000).state, "running");
  assert.equal(serverChip(heard(), 10_000 + SERVER_SILENT_MS - 1).state, "running");
  const silent = serverChip(heard(), 11_900);
  assert.equal(silent.state, "missing");
  assert.match(silent.text, /^missing 1\.9 s$/);
  assert.equal(serverChip(heard({ connected: false }), 10_001).state, "missing");
});

test("a page that has just begun does not cry", () => {
  const begun = heard({ serverAt: 0, connected: false, since: 5000 });
  assert.equal(serverChip(begun, 5500).state, "unknown");
  assert.equal(serverChip(begun, 5000 + SERVER_SILENT_MS).state, "missing");
});

test("a daemon is what the event stream says, with the age of its last report", () => {
  const report = /** @type {any} */ ({ daemons: { camera: { state: "running", age_ms: 300 } } });
  const chip = daemonChip("camera", heard({ report, reportAt: 9900 }), 10_000);
  assert.deepEqual([chip.state, chip.text], ["running", "0.4 s"]);
  const gone = status("missing", "its process is gone");
  const missing = heard({ report, reportAt: 9900, status: gone });
  assert.equal(daemonChip("camera", missing, 10_000).text, "missing 0.4 s");
  assert.equal(daemonChip("camera", missing, 10_000).title, "its process is gone");
  const degraded = heard({ status: status("degraded") });
  assert.equal(daemonChip("camera", degraded, 10_000).text, "degraded");
});

test("a daemon that has never reported has no age", () => {
  const report = /** @type {any} */ ({ daemons: { camera: { state: "missing", age_ms: -1 } } });
  assert.equal(daemonChip("camera", heard({ report, status: null }), 10_000).text, "missing");
});

test("without the server nobody knows how the others are", () => {
  assert.equal(daemonChip("camera", heard({ connected: false }), 10_000).state, "unknown");
  assert.equal(daemonChip("camera", heard({ status: null }), 10_000).state, "unknown");
});

test("what is shown instead of the picture", () => {
  assert.equal(notice(heard(), 10_000), null);
  assert.equal(notice(heard({ paused: true }), 10_000)?.state, "paused");
  assert.equal(notice(heard({ status: status("missing") }), 10_000)?.headline, "camera missing");
  assert.equal(notice(heard({ connected: false }), 10_000)?.headline, "server missing");
  const waiting = heard({ frameAt: -Infinity });
  assert.equal(notice(waiting, 10_000)?.state, "connecting");
  const degraded = heard({ frameAt: 0, status: status("degraded", "unplugged: plug it in") });
  assert.equal(notice(degraded, 10_000)?.advice, "unplugged: plug it in");
});
