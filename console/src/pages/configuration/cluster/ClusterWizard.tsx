import { useEffect, useState } from 'preact/hooks';
import { configuration } from '../../../api/configuration';
import { asProblem } from '../../../api/problem';
import type { Fault, Outcome } from '../../../api/types';
import { nodeNames, readCluster, type ClusterForm } from '../../../config/cluster';
import { clashes } from '../../../config/files';
import { XmlFault } from '../../../config/xml';
import { t } from '../../../i18n';
import { go, guardLeaving, href } from '../../../router';
import { loadSession } from '../../../session';
import { here, known, nodes, rows, through } from '../../../state/cluster';
import { Button, ErrorBox, Faults, Icon, LinkButton, Notice, PageHead, Segmented, Spinner } from '../../../ui';
import { CodeEditor } from '../editor/CodeEditor';
import { asFile, Conflict } from '../parts/Conflict';
import { Form } from '../parts/form';
import { askToLeave, askToReload } from '../parts/leave';
import { NodeRuns } from '../parts/NodeRuns';
import { NoForm, readOr } from '../parts/NoForm';
import { useRuns, type Runs, type Stage, type Step } from '../parts/runs';
import { Stepper } from '../parts/Stepper';
import { useCheck } from '../parts/useCheck';
import { deployStep } from './actions';
import { dirty, draft, holdingOf, loadCluster, setBase, setText, shown, type ClusterDraft, type Known } from './draft';
import { LanForm } from './LanForm';
import { useProbes } from './probes';

/** Cluster wizard (WEB-24). */
export function ClusterWizard() {
  const [error, setError] = useState<unknown>(null);
  const [step, setStep] = useState<'edit' | 'result'>('edit');
  const runs = useRuns();
  const load = () => {
    setError(null);
    const host = nodes.peek().find((node) => node.name === here.peek())?.overview?.host ?? nodes.peek()[0]?.overview?.host ?? '';
    loadCluster(host).catch(setError);
  };
  // The first proposal holds the name of this server, which the first event tells.
  useEffect(() => {
    if (!draft.peek() && known.value) load();
  }, [known.value]);
  useLeaving();
  const steps = [{ id: 'edit', label: t('cluster.step.edit'), disabled: runs.busy }, { id: 'result', label: t('cluster.step.result'), disabled: runs.runs.length === 0 }];
  const apply = async (text: string, signature: string) => {
    setStep('result');
    await runs.start(applyStages(text, signature, draft.peek()!.known));
  };
  return (
    <>
      <PageHead
        title={t('cluster.wizard')}
        help="cluster"
        crumbs={[{ label: t('configuration.cluster'), href: href('/configuration/cluster') }]}
        subtitle={t('cluster.wizard.text')}
      />
      <Stepper steps={steps} current={step} onStep={(id) => setStep(id as 'edit')} />
      {error !== null && <ErrorBox error={error} retry={load} />}
      {!draft.value && error === null && <Spinner />}
      {draft.value && step === 'edit' && <Edit draft={draft.value} reload={load} onApply={apply} />}
      {draft.value && step === 'result' && <Result runs={runs} draft={draft.value} onEdit={() => setStep('edit')} onAgain={apply} />}
    </>
  );
}

function useLeaving(): void {
  const unsaved = dirty.value;
  useEffect(() => {
    guardLeaving(unsaved ? () => askToLeave(() => (draft.value = null)) : null);
    return () => guardLeaving(null);
  }, [unsaved]);
  useEffect(() => () => {
    if (!dirty.peek()) draft.value = null;
  }, []);
}

/** The name that this server has in a text: its own, else the one of the address of the page. */
function mine(form: ClusterForm): string {
  const names = nodeNames(form);
  const host = nodes.peek().find((node) => node.nameless)?.overview?.host.split('.')[0];
  const named = [here.peek(), host].find((name) => name && names.includes(name));
  const at = form.list.flatMap((lan) => lan.nodes).find((node) => node.attrs.addr === window.location.hostname);
  return named ?? at?.attrs.name ?? names[0] ?? '';
}

/**
 * The node on which a change of a cluster begins, whichever node serves the page: of two administrators at
 * the same time the second one is refused there, before anything of it is anywhere.
 */
function beginning(names: string[]): string | null {
  const answers = (node: string) => nodes.peek().some((view) => view.name === node && view.reachable);
  return rows.peek().map((row) => row.node).find((node) => names.includes(node) && answers(node)) ?? null;
}

/** Saves on the node where it begins; a text that is there already was saved by a request whose answer was lost. */
async function save(from: string | null, text: string, signature: string, begin: string, known: Known): Promise<Outcome[]> {
  try {
    return (await configuration.saveCluster(from, text, signature, [begin], holdingOf(known, begin))).results;
  } catch (error) {
    const { body, status } = asProblem(error);
    if (status !== 409 || body['xml'] !== text) throw error;
    return [{ node: from ?? here.peek() ?? begin, code: 0, output: [], errors: [] }];
  }
}

/** First on one node, which checks and stores it; then on each other node. */
function applyStages(text: string, signature: string, known: Known): Stage[] {
  const form = readCluster(text);
  const begin = (signature && beginning(nodeNames(form))) || mine(form);
  const from = signature ? through(begin) : null;
  let results: Outcome[] = [];
  const first: Step = {
    id: 'here',
    label: begin,
    task: async () => {
      results = await save(from, text, signature, begin, known);
      const now = await configuration.clusterOn(from).catch(() => null);
      if (now?.xml === text) setBase({ xml: text, signature: now.signature });
      // The head of the page names the node and its cluster.
      void loadSession().catch(() => {});
      return results[0];
    },
  };
  // When the guess was wrong, that node has got it already.
  const other = (node: string): Step => {
    const done = results.find((result) => result.node === node);
    return done && done.conflict === undefined ? { id: node, label: node, task: async () => done } : deployStep(node, from, () => holdingOf(known, node));
  };
  // Before it is in a cluster, a node may not know its name.
  return [[first], () => nodeNames(form).filter((node) => node !== (results[0]?.node || begin)).map(other)];
}

function Edit({ draft: edited, reload, onApply }: {
  draft: ClusterDraft;
  reload: () => void;
  onApply: (text: string, signature: string) => void;
}) {
  const [view, setView] = useState<'form' | 'xml'>('form');
  const [strict, setStrict] = useState(false);
  const [busy, setBusy] = useState(false);
  const [goTo, setGoTo] = useState<{ line: number } | null>(null);
  const probes = useProbes();
  const { text, base } = edited;
  const checked = useCheck(text, configuration.checkCluster);
  const form = readOr(text, readCluster);
  const errors = checked.faults.filter((fault) => !fault.warning);
  const state = { mode: null, faults: checked.faults, edit: (change: (text: string) => string) => setText(change(draft.value?.text ?? text)), strict };
  const show = (fault: Fault) => {
    setView('xml');
    setGoTo({ line: fault.line });
  };
  const again = async () => {
    if (!dirty.value || (await askToReload())) reload();
  };
  const apply = async () => {
    setStrict(true);
    setBusy(true);
    const good = await checked.passes();
    setBusy(false);
    if (good) onApply(text, base?.signature ?? '');
  };
  return (
    <Form.Provider value={state}>
      <div class="wizard-bar">
        <Segmented
          label={t('configuration.view')}
          value={view}
          options={[{ value: 'form', label: t('configuration.form'), icon: 'settings' }, { value: 'xml', label: t('configuration.advanced'), icon: 'code' }]}
          onChange={setView}
        />
      </div>
      {view === 'xml' && <CodeEditor name="cluster.xml" language="xml" label="cluster.xml" text={text} faults={checked.faults} goTo={goTo} onText={setText} />}
      {view === 'form' && (form instanceof XmlFault ? <NoForm fault={form} onXml={() => show({ line: form.line } as Fault)} /> : <LanForm form={form} probes={probes} />)}
      <Removed base={base?.xml ?? null} form={form} />
      {(view === 'xml' || strict) && checked.faults.length > 0 && <Faults faults={[...checked.faults]} onFault={show} />}
      {checked.problem !== null && <ErrorBox error={checked.problem} />}
      <footer class="wizard-foot">
        <Button icon="restart" onClick={() => void again()}>{t('configuration.reload')}</Button>
        <span class="grow" />
        {strict && errors.length > 0 && <span class="foot-error"><Icon name="warning" size={16} /> {t('configuration.correct')}</span>}
        <Button variant="primary" icon="check" onClick={() => void apply()} busy={busy}>{t('cluster.apply')}</Button>
      </footer>
    </Form.Provider>
  );
}

/** What disappears from the cluster may be in use. */
function Removed({ base, form }: { base: string | null; form: ClusterForm | XmlFault }) {
  if (!base || form instanceof XmlFault) return null;
  const before = readOr(base, readCluster);
  if (before instanceof XmlFault) return null;
  const lans = before.list.map((lan) => lan.item.attrs.name ?? '').filter((name) => !form.list.some((lan) => lan.item.attrs.name === name));
  const gone = nodeNames(before).filter((name) => !nodeNames(form).includes(name));
  if (lans.length + gone.length === 0) return null;
  return (
    <Notice tone="warning" title={t('cluster.removed', { what: [...lans, ...gone].join(', ') })}>
      {t('cluster.removed.text')}
    </Notice>
  );
}

function Result({ runs, draft: edited, onEdit, onAgain }: {
  runs: Runs;
  draft: ClusterDraft;
  onEdit: () => void;
  onAgain: (text: string, signature: string) => void;
}) {
  const body = runs.runs.find((run) => run.problem?.status === 409)?.problem?.body;
  const [closed, setClosed] = useState(false);
  const theirs = typeof body?.['xml'] === 'string' ? body['xml'] : null;
  const PATH = 'cluster.xml';
  const chosen = (kept: ReadonlySet<string>) => {
    if (theirs === null) return;
    setClosed(true);
    const signature = String(body?.['signature'] ?? '');
    setBase({ xml: theirs, signature });
    if (kept.has(PATH)) return onAgain(edited.text, signature);
    setText(theirs);
    onEdit();
  };
  const good = runs.done && runs.runs.every((run) => run.state === 'good');
  return (
    <div class="stack">
      {good && <Notice tone="good" title={t('cluster.done')}>{t('cluster.done.text')}</Notice>}
      {runs.done && !good && <Notice tone="bad" title={t('configuration.someFailed')}>{t('configuration.someFailed.text')}</Notice>}
      <NodeRuns
        runs={runs}
        mine={[asFile(PATH, edited.text)]}
        load={async (node) => {
          const { xml, signature } = await configuration.clusterOn(through(node));
          return { signature, files: [asFile(PATH, xml)] };
        }}
        shown={shown}
        onTake={(found) => {
          setText(found.files[0]!.text ?? '');
          onEdit();
        }}
      />
      {theirs !== null && !closed && (
        <Conflict
          clashes={clashes([asFile(PATH, edited.base?.xml ?? '')], [asFile(PATH, theirs)], [asFile(PATH, edited.text)])}
          onChosen={chosen}
          onClose={() => setClosed(true)}
        />
      )}
      <footer class="wizard-foot">
        <Button icon="arrowLeft" onClick={onEdit} disabled={runs.busy}>{t('configuration.back')}</Button>
        {theirs !== null && closed && <Button onClick={() => setClosed(false)}>{t('conflict.open')}</Button>}
        <span class="grow" />
        <LinkButton href={href('/configuration/cluster')}>{t('cluster.home')}</LinkButton>
        <Button variant="primary" icon="arrowRight" disabled={!good} onClick={() => void go('/configuration/modules')}>{t('cluster.toModules')}</Button>
      </footer>
    </div>
  );
}
