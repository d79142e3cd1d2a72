'use strict';
// Tiles of one run, and connections at the same time: a browser opens no more than six to one address.
const TILES = 96, AT_ONCE = 6, COLOURS = 8, PATIENCE = 5000;
const byId = (id) => document.getElementById(id);
const colours = new Map();
let running = false;

byId('address').textContent = location.host;

/** The colour of a node: in the order in which they answered first. */
function colour(node) {
  if (!colours.has(node)) colours.set(node, colours.size % COLOURS);
  return `c${colours.get(node)}`;
}

/** Asks once, by a connection of its own: the answer closes it. */
async function ask() {
  try {
    const response = await fetch(`tile?${Math.random()}`, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
    return response.ok ? (await response.json()).node : null;
  } catch {
    return null;
  }
}

function show(counts, asked) {
  const rows = [...counts].sort().map(([node, count]) => {
    const row = document.createElement('li');
    const mark = document.createElement('i');
    mark.className = node === null ? 'lost' : colour(node);
    row.append(mark, `${node ?? 'no answer'}: ${count} (${Math.round((100 * count) / asked)} %)`);
    return row;
  });
  byId('nodes').replaceChildren(...rows);
}

async function run() {
  const tiles = Array.from({ length: TILES }, () => document.createElement('div'));
  byId('tiles').replaceChildren(...tiles);
  const counts = new Map();
  let next = 0, asked = 0;
  const worker = async () => {
    while (next < TILES) {
      const tile = tiles[next++];
      const node = await ask();
      asked += 1;
      tile.className = node === null ? 'lost' : colour(node);
      tile.textContent = node ?? '-';
      counts.set(node, (counts.get(node) ?? 0) + 1);
      show(counts, asked);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

byId('start').addEventListener('click', async () => {
  if (running) return;
  running = true;
  byId('start').disabled = true;
  do await run(); while (byId('live').checked);
  byId('start').disabled = false;
  running = false;
});
