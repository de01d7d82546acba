// The event stream. EventSource resumes with Last-Event-ID by itself; what it does not do is come
// back after an answer that is no stream, such as a proxy's error page.

const TYPES = ["snapshot", "event", "tracks", "status", "resync", "bye"];
const REOPEN_MS = 1500;

export class Feed {
  #lastID = "";
  /** @type {EventSource | null} */ #source = null;
  /** @type {(type: string, data: any, id: string) => void} */ #heard;
  /** @type {(connected: boolean) => void} */ #connected;

  /**
   * @param {(type: string, data: any, id: string) => void} heard
   * @param {(connected: boolean) => void} connected
   */
  constructor(heard, connected) {
    this.#heard = heard;
    this.#connected = connected;
  }

  open() {
    const resume = this.#lastID ? `?last_event_id=${encodeURIComponent(this.#lastID)}` : "";
    const source = new EventSource(`/events${resume}`);
    this.#source = source;
    source.onopen = () => this.#connected(true);
    source.onerror = () => {
      this.#connected(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), REOPEN_MS);
    };
    for (const type of TYPES) {
      source.addEventListener(type, (message) => {
        const { data, lastEventId } = /** @type {MessageEvent<string>} */ (message);
        if (lastEventId) this.#lastID = lastEventId;
        this.#heard(type, JSON.parse(data), lastEventId);
      });
    }
  }

  get lastID() {
    return this.#lastID;
  }
}
