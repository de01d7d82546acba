// Keys that do what the buttons do.

/** @type {Record<string, string>} */
const KEYS = {
  " ": "pause", b: "boxes", z: "zones", s: "snapshot", f: "fullscreen", t: "theme", "?": "help",
  j: "next", k: "previous", Enter: "open",
};

/**
 * The action a key stands for; null when it is meant for something else.
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} press
 * @param {string} target  tag name of the element that has the focus
 */
export function actionOf(press, target) {
  if (press.ctrlKey || press.metaKey || press.altKey) return null;
  if (["INPUT", "SELECT", "TEXTAREA"].includes(target)) return null;
  const own = ["BUTTON", "A"].includes(target) && [" ", "Enter"].includes(press.key);
  return own ? null : KEYS[press.key] ?? null;
}

/** @param {Record<string, () => void>} actions */
export function listenToKeys(actions) {
  document.addEventListener("keydown", (press) => {
    if (document.querySelector("dialog[open]")) return;
    const target = press.target instanceof Element ? press.target.tagName : "";
    const action = actionOf(press, target);
    if (!action || press.repeat) return;
    press.preventDefault();
    actions[action]?.();
  });
}
