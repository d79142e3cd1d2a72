import { useEffect, useState } from 'preact/hooks';
import { configuration } from '../../../api/configuration';
import { readModule, type ModuleForm } from '../../../config/module';
import { XmlFault } from '../../../config/xml';
import { t } from '../../../i18n';
import { guardLeaving, href, query, setQuery } from '../../../router';
import { here, modules } from '../../../state/cluster';
import { Badge, Button, ErrorBox, PageHead, Spinner } from '../../../ui';
import { askToLeave, askToReload } from '../parts/leave';
import { readOr } from '../parts/NoForm';
import { Transferred } from '../parts/RunList';
import { useRuns } from '../parts/runs';
import { Stepper } from '../parts/Stepper';
import { useCheck } from '../parts/useCheck';
import { applyStages, checkStages, renewStages, type Plan } from './apply';
import { ApplyStep } from './ApplyStep';
import { dirty, draft, dropDraft, loadDraft, unsaved, userconfig } from './draft';
import { EditStep } from './EditStep';
import { EncryptionStep } from './EncryptionStep';
import { ResultStep } from './ResultStep';
import { ScriptsStep } from './ScriptsStep';

const STEPS = ['edit', 'scripts', 'encryption', 'apply', 'result'] as const;
export type StepId = (typeof STEPS)[number];
export type Doing = 'apply' | 'check' | 'renew';

/** Module wizard (WEB-27). */
export function ModuleWizard({ module }: { module: string }) {
  const [error, setError] = useState<unknown>(null);
  const runs = useRuns();
  const [doing, setDoing] = useState<{ what: Doing; plan: Plan } | null>(null);
  const [moved, setMoved] = useState<[number, number] | null>(null);
  const load = () => {
    setError(null);
    loadDraft(module, (done, all) => setMoved(all === null ? null : [done, all])).catch(setError);
  };
  useEffect(() => {
    if (draft.peek()?.module !== module) load();
  }, []);
  useLeaving();
  const asked = STEPS.find((id) => id === query.value.get('step')) ?? 'edit';
  const step: StepId = asked === 'result' && runs.runs.length === 0 ? 'apply' : asked;
  const show = (id: StepId) => {
    setQuery({ step: id === 'edit' ? null : id });
    window.scrollTo(0, 0);
  };
  const act = (what: Doing, plan: Plan) => {
    setDoing({ what, plan });
    show('result');
    const stages = what === 'apply' ? applyStages(plan) : what === 'check' ? checkStages(plan) : renewStages(plan);
    void runs.start(stages);
  };
  const reload = async () => {
    if (!dirty.value || (await askToReload())) load();
  };
  const steps = STEPS.map((id) => ({
    id,
    label: t(`wizard.step.${id}`),
    optional: id === 'scripts' || id === 'encryption',
    disabled: runs.busy || (id === 'result' && runs.runs.length === 0),
  }));
  const ready = draft.value?.module === module;
  return (
    <>
      <Head module={module} />
      <Stepper steps={steps} current={step} onStep={(id) => show(id as StepId)} />
      {error !== null && <ErrorBox error={error} retry={load} />}
      {!ready && error === null && (moved ? <Transferred moved={moved} /> : <Spinner />)}
      {ready && step !== 'result' && <Steps module={module} step={step} show={show} act={act} reload={() => void reload()} />}
      {ready && step === 'result' && doing && (
        <ResultStep runs={runs} doing={doing.what} plan={doing.plan} show={show} again={(plan) => act(doing.what, plan)} />
      )}
    </>
  );
}

function Head({ module }: { module: string }) {
  const mode = modules.value.find((one) => one.name === module)?.on[0]?.module.mode;
  const changed = unsaved.value.length;
  return (
    <PageHead
      title={module}
      help="wizard"
      crumbs={[{ label: t('configuration.modules'), href: href('/configuration/modules') }]}
      titleEnd={
        <>
          {mode && <Badge tone="info">{t(`mode.${mode}`)}</Badge>}
          {changed > 0 && <Badge tone="warning" icon="edit">{t('wizard.unsaved')}</Badge>}
        </>
      }
    />
  );
}

function useLeaving(): void {
  const unsavedNow = dirty.value;
  useEffect(() => {
    guardLeaving(unsavedNow ? () => askToLeave(dropDraft) : null);
    return () => guardLeaving(null);
  }, [unsavedNow]);
  useEffect(() => () => {
    if (!dirty.peek()) dropDraft();
  }, []);
}

/** The steps that edit: all of them know what the parser of the server says. */
function Steps({ module, step, show, act, reload }: {
  module: string;
  step: StepId;
  show: (step: StepId) => void;
  act: (what: Doing, plan: Plan) => void;
  reload: () => void;
}) {
  const text = userconfig.value;
  const [strict, setStrict] = useState(false);
  const checked = useCheck(text, (xml, signal) => configuration.checkText(module, xml, signal));
  const form: ModuleForm | XmlFault = readOr(text, readModule);
  const mode = form instanceof XmlFault ? null : form.mode;
  const errors = checked.faults.filter((fault) => !fault.warning).length;
  const at = STEPS.indexOf(step);
  const next = async () => {
    setStrict(true);
    if (step !== 'edit' || (await checked.passes())) show(STEPS[at + 1]!);
  };
  const foot = (
    <>
      <Button icon="restart" onClick={reload}>{t('configuration.reload')}</Button>
      <span class="grow" />
      {step === 'edit' && strict && errors > 0 && <span class="foot-error">{t('configuration.correct')}</span>}
      {at > 0 && <Button icon="arrowLeft" onClick={() => show(STEPS[at - 1]!)}>{t('configuration.back')}</Button>}
      {step !== 'apply' && <Button variant="primary" icon="arrowRight" onClick={() => void next()}>{t('wizard.next')}</Button>}
    </>
  );
  if (step === 'edit') return <EditStep form={form} text={text} checked={checked} strict={strict} foot={foot} />;
  if (step === 'scripts') return <ScriptsStep foot={foot} />;
  if (step === 'encryption') return <EncryptionStep module={module} here={here.value ?? ''} onRenew={(plan) => act('renew', plan)} foot={foot} />;
  return <ApplyStep module={module} mode={mode} errors={errors} show={show} act={act} foot={foot} />;
}
