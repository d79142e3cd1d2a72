import type { Fault, ProblemBody } from './types';

/** A request that did not succeed: what the server says of it, or why no server answered. */
export class Problem extends Error {
  constructor(
    /** HTTP status, 0 when no server answered. */
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    /** The whole document, e.g. `signature` and `files` of a conflict. */
    readonly body: ProblemBody = {},
    /** Seconds to wait before the next try, when the server says so. */
    readonly retryAfter: number | null = null,
  ) {
    super(detail || title);
    this.name = 'Problem';
  }

  get output(): string[] {
    return this.body.output ?? [];
  }

  get faults(): Fault[] {
    return this.body.faults ?? [];
  }

  get node(): string | null {
    return this.body.node ?? null;
  }

  /** No answer at all: the connection node or the network is down. */
  get unreachable(): boolean {
    return this.status === 0;
  }
}

/** The problem that an answer other than 2xx is. */
export async function problemOf(response: Response): Promise<Problem> {
  const body = await bodyOf(response);
  const header = Number(response.headers.get('Retry-After') ?? NaN);
  const retry = Number.isFinite(header) ? header : (body.retry_after ?? null);
  const title = body.title ?? `${response.status} ${response.statusText}`;
  return new Problem(response.status, title, body.detail ?? '', body, retry);
}

async function bodyOf(response: Response): Promise<ProblemBody> {
  const text = await response.text().catch(() => '');
  try {
    const body: unknown = JSON.parse(text);
    if (body !== null && typeof body === 'object') return body as ProblemBody;
  } catch {
    // Not JSON: a proxy answered.
  }
  return {};
}

/** Anything that was thrown, as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, 'unexpected', error instanceof Error ? error.message : String(error));
}
