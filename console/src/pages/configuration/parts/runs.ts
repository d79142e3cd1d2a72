import { useRef, useState } from 'preact/hooks';
import type { Moved } from '../../../api/client';
import { asProblem, type Problem } from '../../../api/problem';
import type { Outcome } from '../../../api/types';

/** One step of an action: usually a command on one node. */
export interface Run {
  id: string;
  /** What it does, when it is more than the name of a node. */
  label: string;
  state: 'waiting' | 'running' | 'good' | 'bad' | 'skipped';
  /** Milliseconds. */
  since: number | null;
  took: number | null;
  outcome: Outcome | null;
  problem: Problem | null;
  /** Bytes that have gone or come, and all of them, while something large is under way. */
  moved: [number, number] | null;
  /** The node that it is about, if it is one. */
  node: string | null;
}

export interface Step {
  id: string;
  label: string;
  node?: string;
  /** Ends well with nothing or an outcome of code 0. */
  task: (moved: Moved) => Promise<Outcome | undefined | void>;
}

/** Steps, or how they are found once the stages before have ended well. */
export type Stage = Step[] | (() => Step[]);

export interface Runs {
  runs: Run[];
  busy: boolean;
  /** Everything was done, well or not. */
  done: boolean;
  /** Runs stages one after the other, the steps of a stage at the same time; stops after a stage that failed. */
  start: (stages: Stage[]) => Promise<boolean>;
  /** Runs one step that failed once more, then what was left out after it. */
  retry: (id: string) => Promise<void>;
  clear: () => void;
}

const idle = (step: Step): Run => ({
  id: step.id, label: step.label, state: 'waiting', since: null, took: null, outcome: null, problem: null, moved: null, node: step.node ?? null,
});

const steps = (stage: Stage): Step[] => (typeof stage === 'function' ? [] : stage);

/** An action of several steps, watched by its page. */
export function useRuns(): Runs {
  const [runs, setRuns] = useState<Run[]>([]);
  const stages = useRef<Stage[]>([]);
  const known = useRef(new Map<string, Step>());
  const set = (id: string, change: Partial<Run>) => setRuns((all) => all.map((run) => (run.id === id ? { ...run, ...change } : run)));

  const one = async (step: Step): Promise<boolean> => {
    const since = Date.now();
    set(step.id, { state: 'running', since, took: null, outcome: null, problem: null, moved: null });
    const moved: Moved = (done, all) => set(step.id, { moved: all === null ? null : [done, all] });
    try {
      const outcome = (await step.task(moved)) ?? null;
      const good = outcome === null || outcome.code === 0;
      set(step.id, { state: good ? 'good' : 'bad', took: Date.now() - since, outcome });
      return good;
    } catch (error) {
      set(step.id, { state: 'bad', took: Date.now() - since, problem: asProblem(error) });
      return false;
    }
  };

  /** Runs the stages from the n-th on. */
  const run = async (from: number): Promise<boolean> => {
    for (let i = from; i < stages.current.length; i += 1) {
      let stage = stages.current[i]!;
      if (typeof stage === 'function') {
        stage = stages.current[i] = stage();
        setRuns((all) => [...all, ...(stage as Step[]).map(idle)]);
      }
      for (const step of stage) known.current.set(step.id, step);
      const results = await Promise.all(stage.map(one));
      if (results.every(Boolean)) continue;
      for (const step of stages.current.slice(i + 1).flatMap(steps)) set(step.id, { state: 'skipped' });
      return false;
    }
    return true;
  };

  const start = (all: Stage[]) => {
    stages.current = [...all];
    setRuns(all.flatMap(steps).map(idle));
    return run(0);
  };

  const retry = async (id: string) => {
    const at = stages.current.findIndex((stage) => steps(stage).some((step) => step.id === id));
    const step = known.current.get(id);
    const failed = runs.some((other) => other.state === 'bad' && other.id !== id);
    if (step && (await one(step)) && !failed) await run(at + 1);
  };

  const busy = runs.some((r) => r.state === 'running' || r.state === 'waiting');
  const done = runs.length > 0 && !busy;
  return { runs, busy, done, start, retry, clear: () => setRuns([]) };
}

/** The outcome of one node in the answer of a request for several. */
export function outcomeOf(results: Outcome[], node: string): Outcome | undefined {
  return results.find((result) => result.node === node) ?? results[0];
}
