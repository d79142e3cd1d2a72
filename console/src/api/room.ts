// Browsers open six connections to a server over HTTP/1.1, for all windows together, and each event stream keeps one. A request that
// waits for long asks all windows for room: they give the streams that they can do without.

/** A request that was not answered for so long may wait for a connection. */
const PATIENCE_MS = 2_000;

type Word = 'room' | 'given';

const givers = new Set<() => void>();
let channel: BroadcastChannel | null = null;

function give(): void {
  for (const giver of givers) giver();
}

function heard({ data }: MessageEvent<Word>): void {
  if (data === 'room') channel?.postMessage('given' satisfies Word);
  // Who has asked gives too, unless there is no other window: then it is the server that is slow.
  give();
}

/** Begins to hear the other windows of this browser. */
export function hearWindows(): void {
  if (channel || !('BroadcastChannel' in globalThis)) return;
  channel = new BroadcastChannel('safekit-room');
  channel.onmessage = heard;
}

/** Called when another window needs a connection; the answer ends that. */
export function whenAsked(giver: () => void): () => void {
  givers.add(giver);
  return () => void givers.delete(giver);
}

/** The answer of a request; asks for room when it takes long. */
export function withRoom<T>(answer: Promise<T>): Promise<T> {
  const timer = setTimeout(() => channel?.postMessage('room' satisfies Word), PATIENCE_MS);
  return answer.finally(() => clearTimeout(timer));
}
