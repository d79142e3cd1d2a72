/** Differences of two texts, line by line. */

export interface DiffLine {
  kind: 'same' | 'theirs' | 'mine';
  text: string;
  /** Line numbers, from 1, in the text of each side that has it. */
  theirs: number | null;
  mine: number | null;
}

/** Above this many pairs of lines the middle is shown as replaced as a whole. */
const MAX_PAIRS = 4_000_000;

/** Every line of both texts, once where it is the same. */
export function diff(theirs: string, mine: string): DiffLine[] {
  const [a, b] = [theirs.split('\n'), mine.split('\n')];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const lines: DiffLine[] = [];
  const same = (i: number, j: number) => lines.push({ kind: 'same', text: a[i]!, theirs: i + 1, mine: j + 1 });
  for (let i = 0; i < head; i += 1) same(i, i);
  for (const step of middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail))) {
    const [i, j] = [step.i + head, step.j + head];
    if (step.kind === 'same') same(i, j);
    else if (step.kind === 'theirs') lines.push({ kind: 'theirs', text: a[i]!, theirs: i + 1, mine: null });
    else lines.push({ kind: 'mine', text: b[j]!, theirs: null, mine: j + 1 });
  }
  for (let k = tail; k > 0; k -= 1) same(a.length - k, b.length - k);
  return lines;
}

interface Step {
  kind: DiffLine['kind'];
  i: number;
  j: number;
}

/** By the longest common subsequence. */
function middle(a: string[], b: string[]): Step[] {
  const width = b.length + 1;
  const common = a.length * b.length <= MAX_PAIRS ? lengths(a, b, width) : null;
  const steps: Step[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (common && i < a.length && j < b.length && a[i] === b[j]) {
      steps.push({ kind: 'same', i: i++, j: j++ });
    } else if (i < a.length && (j === b.length || !common || common[(i + 1) * width + j]! >= common[i * width + j + 1]!)) {
      steps.push({ kind: 'theirs', i: i++, j });
    } else {
      steps.push({ kind: 'mine', i, j: j++ });
    }
  }
  return steps;
}

/** Length of the longest common subsequence of what follows each pair of lines. */
function lengths(a: string[], b: string[], width: number): Uint32Array {
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const skip = Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!);
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1]! + 1 : skip;
    }
  }
  return table;
}

/** Changed lines with `around` lines beside them; `null` stands for what is left out. */
export function hunks(lines: DiffLine[], around = 3): (DiffLine | null)[] {
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - around), i + around + 1).some((line) => line.kind !== 'same'));
  const shown: (DiffLine | null)[] = [];
  lines.forEach((line, i) => {
    if (near[i]) shown.push(line);
    else if (shown.at(-1) !== null) shown.push(null);
  });
  return shown;
}
