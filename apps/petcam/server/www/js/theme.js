// Dark, light, or as the system says.

const ORDER = ["auto", "dark", "light"];
const STORED = "petcam-theme";

export function restoreTheme() {
  let stored = null;
  try {
    stored = localStorage.getItem(STORED);
  } catch {
    // Storage is forbidden here: the theme holds until the page is closed.
  }
  setTheme(stored ?? "auto");
}

export function cycleTheme() {
  const now = document.documentElement.dataset["theme"] ?? "auto";
  setTheme(ORDER[(ORDER.indexOf(now) + 1) % ORDER.length] ?? "auto");
}

/** @param {string} theme */
function setTheme(theme) {
  const known = ORDER.includes(theme) ? theme : "auto";
  document.documentElement.dataset["theme"] = known;
  try {
    localStorage.setItem(STORED, known);
  } catch {
    // As above.
  }
}
