// What "Save and apply", "Save and check" and "New keys" do, as stages of an action.
import { configuration } from '../../../api/configuration';
import { asProblem, Problem } from '../../../api/problem';
import type { CheckReport, ModuleFiles, Outcome } from '../../../api/types';
import { clashes, merged } from '../../../config/files';
import { t } from '../../../i18n';
import { outcomeOf, type Stage, type Step } from '../parts/runs';
import { draft, rebase, saved, setEncrypt, unsaved, type Draft } from './draft';

/** Files of another administrator, in a problem 409. */
export function theirsOf(problem: Problem | null): ModuleFiles | null {
  const { signature, files } = problem?.status === 409 ? problem.body : {};
  return typeof signature === 'string' && Array.isArray(files) ? { signature, files: files as ModuleFiles['files'] } : null;
}

async function save(): Promise<void> {
  const edited = draft.peek();
  if (!edited || unsaved.peek().length === 0) return;
  try {
    saved((await configuration.saveFiles(edited.module, edited.base.signature, edited.files)).signature);
  } catch (error) {
    const again = alone(edited, theirsOf(asProblem(error)));
    if (!again) throw error;
    saved((await configuration.saveFiles(edited.module, again.signature, again.files)).signature);
  }
}

/** When nothing of the other changes meets one of mine, as after new keys, mine is saved on top of them. */
function alone(edited: Draft, theirs: ModuleFiles | null): ModuleFiles | null {
  if (!theirs) return null;
  const found = clashes(edited.base.files, theirs.files, edited.files);
  if (found.some((clash) => clash.by !== 'me')) return null;
  const files = merged(theirs.files, found, new Set(found.map((clash) => clash.path)));
  rebase(theirs, files);
  return { signature: theirs.signature, files };
}

/** Keys change the signature of the files: it is read again, unless something was edited meanwhile. */
async function refresh(module: string): Promise<void> {
  const now = await configuration.files(module).catch(() => null);
  if (now && draft.peek()?.module === module && unsaved.peek().length === 0) rebase(now, now.files);
}

/** Nothing to do when nothing was edited. */
const saveStage = (node: string): Stage[] =>
  unsaved.peek().length > 0 ? [[{ id: 'save', label: t('apply.saving', { node }), task: save }]] : [];

function keyStep(module: string, on: boolean, id = 'key'): Step {
  return {
    id,
    label: t(on ? 'apply.keyOn' : 'apply.keyOff'),
    task: async () => {
      const outcome = await configuration.key(module, on);
      await refresh(module);
      return outcome;
    },
  };
}

async function applyHere(module: string): Promise<Outcome> {
  const outcome = await configuration.apply(module);
  // What was wished for is there now.
  if (outcome.code === 0) setEncrypt(null);
  return outcome;
}

/** Here first: what is refused here is not sent anywhere. */
function applyOn(module: string, here: string, nodes: string[], prefix = 'node'): Stage[] {
  const step = (node: string): Step => ({
    id: `${prefix}:${node}`,
    label: prefix === 'node' ? node : t(prefix === 'off' ? 'apply.withoutKeys' : 'apply.withKeys', { node }),
    task: async () => (node === here ? applyHere(module) : outcomeOf((await configuration.deploy(module, [node])).results, node)),
  });
  const others = nodes.filter((node) => node !== here);
  return others.length > 0 ? [[step(here)], others.map(step)] : [[step(here)]];
}

export interface Plan {
  module: string;
  /** The connection node. */
  here: string;
  nodes: string[];
  /** Whether keys are to be made or removed; null: as they are. */
  key: boolean | null;
}

export function applyStages({ module, here, nodes, key }: Plan): Stage[] {
  const keys = key === null ? [] : [[keyStep(module, key)]];
  return [...saveStage(here), ...keys, ...applyOn(module, here, nodes)];
}

/** Keys are made or removed by applying only: so those that are saved are always those that run. */
export function checkStages({ module, here }: Plan): Stage[] {
  const step: Step = { id: 'check', label: t('apply.checking', { node: here }), task: async () => checked(await configuration.check(module), here) };
  return [...saveStage(here), [step]];
}

function checked(report: CheckReport, node: string): Outcome {
  const errors = report.faults.filter((fault) => !fault.warning);
  if (errors.length > 0) throw new Problem(422, 'faults', t('apply.faults'), { faults: report.faults, output: report.output });
  const warnings = report.faults.map((fault) => `${fault.file}:${fault.line}: ${fault.what}`);
  return { node, code: 0, output: [...warnings, ...report.output], errors: [] };
}

/** New keys (10.5, WEB-28): without any everywhere, then with new ones everywhere. */
export function renewStages({ module, here, nodes }: Plan): Stage[] {
  return [
    ...saveStage(here),
    [keyStep(module, false, 'key-off')],
    ...applyOn(module, here, nodes, 'off'),
    [keyStep(module, true, 'key-on')],
    ...applyOn(module, here, nodes, 'on'),
  ];
}
