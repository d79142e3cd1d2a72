// What "Save and apply", "Save and check" and "New keys" do, as stages of an action.
import type { Moved } from '../../../api/client';
import { configuration } from '../../../api/configuration';
import { asProblem, Problem } from '../../../api/problem';
import type { CheckReport, ModuleFile, ModuleFiles, Outcome } from '../../../api/types';
import { changedFiles, clashes, merged } from '../../../config/files';
import { t } from '../../../i18n';
import { moduleOn, rows, through } from '../../../state/cluster';
import { outcomeOf, type Stage, type Step } from '../parts/runs';
import { draft, heldBy, holdingOf, isThere, keyed, rebase, saved, setEncrypt, unsaved, type Draft, type Known } from './draft';

/** Files of another administrator, in a problem 409. */
export function theirsOf(problem: Problem | null): ModuleFiles | null {
  const { signature, files } = problem?.status === 409 ? problem.body : {};
  return typeof signature === 'string' && Array.isArray(files) ? { signature, files: files as ModuleFiles['files'] } : null;
}

async function save(moved: Moved): Promise<void> {
  const edited = draft.peek();
  if (!edited || unsaved.peek().length === 0) return;
  try {
    saved((await configuration.saveFiles(null, edited.module, edited.base.signature, edited.files, moved)).signature);
  } catch (error) {
    const theirs = theirsOf(asProblem(error));
    if (theirs && isMine(theirs, edited)) return saved(theirs.signature);
    const files = theirs && onTop(edited, edited.base, theirs);
    if (!files) throw error;
    rebase(theirs, files);
    saved((await configuration.saveFiles(null, edited.module, theirs.signature, files, moved)).signature);
  }
}

/** The same on another node, before it is done here: over what the administrator has seen only. */
async function saveFirst(node: string, moved: Moved): Promise<void> {
  const edited = draft.peek();
  if (!edited || !missing(edited, node)) return;
  const put = async (signature: string, files: ModuleFile[]) =>
    isThere(node, { signature: (await configuration.saveFiles(through(node), edited.module, signature, files, moved)).signature, files });
  try {
    await put(heldBy(edited, node).signature, edited.files);
  } catch (error) {
    const theirs = theirsOf(asProblem(error));
    if (theirs && isMine(theirs, edited)) return isThere(node, theirs);
    const seen = theirs && holdingOf(edited.known, node)[node]!.includes(theirs.signature);
    const files = seen ? edited.files : theirs && onTop(edited, heldBy(edited, node), theirs);
    if (!files) throw error;
    await put(theirs!.signature, files);
  }
}

/** Whether a node does not have what is edited, as far as this page knows. */
const missing = (edited: Draft, node: string): boolean => changedFiles(heldBy(edited, node).files, edited.files).length > 0;

/** Mine, saved by a request whose answer was lost. */
const isMine = (theirs: ModuleFiles, edited: Draft): boolean => changedFiles(theirs.files, edited.files).length === 0;

/** Mine on top of theirs, when nothing of it meets a change of mine, as after new keys, or that was decided already. */
function onTop(edited: Draft, base: ModuleFiles, theirs: ModuleFiles): ModuleFile[] | null {
  if (edited.decided.includes(theirs.signature)) return edited.files;
  const found = clashes(base.files, theirs.files, edited.files);
  if (found.some((clash) => clash.by !== 'me')) return null;
  return merged(theirs.files, found, new Set(found.map((clash) => clash.path)));
}

/**
 * The node on which a change is saved first, whichever node serves the page: of two administrators at the
 * same time the second one is refused there, before anything of it is anywhere. None: the connection node.
 */
function beginning({ module, here, nodes }: Plan): string | null {
  const has = (node: string) => moduleOn(module, node)?.node.reachable && moduleOn(module, node)?.module;
  const first = rows.peek().map((row) => row.node).find((node) => nodes.includes(node) && has(node));
  return first === undefined || first === here ? null : first;
}

/** Steps that save on another node are named so. */
const FIRST = 'first:';

/** The node of a step that saves on another node. */
export function firstOf(id: string): string | null {
  return id.startsWith(FIRST) ? id.slice(FIRST.length) : null;
}

/** Nothing to do when nothing was edited. What was only checked is saved here, but not where it begins. */
function saveStages(plan: Plan): Stage[] {
  const [edited, first] = [draft.peek(), beginning(plan)];
  const step = (node: string, id: string, task: Step['task']): Stage => [{ id, label: t('apply.saving', { node }), task }];
  return [
    ...(first && edited && missing(edited, first) ? [step(first, FIRST + first, (moved) => saveFirst(first, moved))] : []),
    ...(unsaved.peek().length > 0 ? [step(plan.here, 'save', save)] : []),
  ];
}

function keyStep(module: string, on: boolean, id = 'key'): Step {
  return {
    id,
    label: t(on ? 'apply.keyOn' : 'apply.keyOff'),
    task: async () => {
      const outcome = await configuration.key(module, on, draft.peek()!.base.signature);
      if (outcome.signature) keyed(outcome.signature);
      return outcome;
    },
  };
}

async function applyHere(module: string, known: Known): Promise<Outcome> {
  const outcome = await configuration.apply(module, known.here.at(-1)!);
  // What was wished for is there now.
  if (outcome.code === 0) setEncrypt(null);
  return outcome;
}

/** Here first: what is refused here is not sent anywhere. */
function applyOn(module: string, here: string, nodes: string[], prefix = 'node'): Stage[] {
  const known: Known = draft.peek()?.known ?? { here: [], others: {} };
  const give = (node: string) => configuration.deploy(module, [node], known.here.at(-1)!, holdingOf(known, node));
  const step = (node: string): Step => ({
    id: `${prefix}:${node}`,
    label: prefix === 'node' ? node : t(prefix === 'off' ? 'apply.withoutKeys' : 'apply.withKeys', { node }),
    node,
    task: async () => (node === here ? applyHere(module, known) : outcomeOf((await give(node)).results, node)),
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

export function applyStages(plan: Plan): Stage[] {
  const { module, here, nodes, key } = plan;
  const keys = key === null ? [] : [[keyStep(module, key)]];
  return [...saveStages(plan), ...keys, ...applyOn(module, here, nodes)];
}

/** Keys are made or removed by applying only: so those that are saved are always those that run. */
export function checkStages({ module, here }: Plan): Stage[] {
  const alone = { module, here, nodes: [here], key: null };
  const step: Step = { id: 'check', label: t('apply.checking', { node: here }), task: async () => checked(await configuration.check(module), here) };
  return [...saveStages(alone), [step]];
}

function checked(report: CheckReport, node: string): Outcome {
  const errors = report.faults.filter((fault) => !fault.warning);
  if (errors.length > 0) throw new Problem(422, 'faults', t('apply.faults'), { faults: report.faults, output: report.output });
  const warnings = report.faults.map((fault) => `${fault.file}:${fault.line}: ${fault.what}`);
  return { node, code: 0, output: [...warnings, ...report.output], errors: [] };
}

/** New keys (10.5, WEB-28): without any everywhere, then with new ones everywhere. */
export function renewStages(plan: Plan): Stage[] {
  const { module, here, nodes } = plan;
  return [
    ...saveStages(plan),
    [keyStep(module, false, 'key-off')],
    ...applyOn(module, here, nodes, 'off'),
    [keyStep(module, true, 'key-on')],
    ...applyOn(module, here, nodes, 'on'),
  ];
}
