// Fetches a token for a person who may have to wait until a host admits them. You can copy this file: it requires no
// library.

/** Seconds between two requests while waiting, which is roomkey's `Retry-After`. `livekit-client` does not expose it. */
const INTERVAL = 3;
/** Seconds before the next request after an outage or too many requests. */
const BACK_OFF = 10;

/** Codes of failures that do not end the waiting. Without a response there is no code. */
const TRANSIENT = [undefined, "unavailable", "too_many_requests"];

/**
 * Fetches a token with `tokens` of `room.js`. While the person has to wait, it calls `onWait` and fetches again. Resolves
 * to `undefined` if `signal` canceled it. Throws the `JoinError` of any other failure.
 */
export async function fetchAdmitted(tokens, options, { onWait, signal }) {
  let isWaiting = false;
  while (!signal.aborted) {
    try {
      return await tokens.fetch(options);
    } catch (error) {
      const code = error.why?.code;
      const mustWait = code === "awaiting_admission";
      isWaiting ||= mustWait;
      if (!isWaiting || !(mustWait || TRANSIENT.includes(code))) throw error;
      onWait();
      await pause(mustWait ? INTERVAL : BACK_OFF, signal);
    }
  }
  return undefined;
}

/** Resolves after `seconds`, or earlier if `signal` is aborted. */
function pause(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
