/** The daemon's account of one stream: what it rests on, what it has decided, what it has ordered. */
import { type ReactNode, useState } from 'react';
import type { Command, Decision, Policy, Reporter } from '@/data/explanation';
import { useSession } from '@/data/session';
import { useOperator } from '@/hooks/useOperator';
import { useText } from '@/i18n';
import { ConfirmDialog } from './ConfirmDialog';

export function Rules({ policy }: { policy: Policy }) {
  const { t, duration, list } = useText();
  const { enabled, dry_run, timeout_seconds, never_joined_timeout_seconds, warning_seconds } =
    policy;
  if (!enabled) return <p className="text-sm text-soft">{t('detail.policy_off')}</p>;
  const timeout = duration(timeout_seconds);
  return (
    <div className="flex flex-col gap-1 text-sm text-soft">
      <p>{t('detail.policy_on', { timeout, warnings: list(warning_seconds.map(String)) })}</p>
      {never_joined_timeout_seconds !== undefined &&
        never_joined_timeout_seconds !== timeout_seconds && (
          <p>
            {t('detail.policy_never_joined', { timeout: duration(never_joined_timeout_seconds) })}
          </p>
        )}
      {dry_run && <p className="text-amber">{t('detail.policy_dry')}</p>}
    </div>
  );
}

export function Evidence({
  channelId,
  reporters,
}: {
  channelId: string;
  reporters: readonly Reporter[];
}) {
  const { t, number, lookUp } = useText();
  const count = (value?: number) => (value === undefined ? t('detail.unknown') : number(value));
  return (
    <Table
      title={t('detail.evidence')}
      heads={['source', 'state', 'listeners', 'joins', 'age', 'believed']}
      none={t('detail.evidence_none')}
    >
      {reporters.map((reporter) => (
        <tr key={`${reporter.source} ${reporter.session}`}>
          <td className="font-medium wrap-anywhere">
            {reporter.source}
            <span className="block max-w-40 truncate text-xs text-soft" title={reporter.session}>
              {reporter.session}
            </span>
          </td>
          <td>{lookUp(`state.${reporter.state}`, reporter.state)}</td>
          <td className="tabular-nums">{count(reporter.listeners)}</td>
          <td className="tabular-nums">{count(reporter.joins)}</td>
          <td className="tabular-nums">
            {reporter.age_seconds === undefined
              ? '–'
              : t('detail.seconds', { seconds: Math.round(reporter.age_seconds) })}
          </td>
          <td className={reporter.believed ? '' : 'text-amber'}>
            {t(reporter.believed ? 'detail.yes' : 'detail.no')}
            {!reporter.believed && <ForgetButton channelId={channelId} source={reporter.source} />}
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** For a source that is silent for good: until it is forgotten, the count stays unknown. */
function ForgetButton({ channelId, source }: { channelId: string; source: string }) {
  const { t } = useText();
  const { run, busy } = useOperator(channelId);
  const [asking, setAsking] = useState(false);
  const mayOperate = useSession((session) => session.may_operate);
  if (!mayOperate) return null;
  return (
    <>
      <button
        type="button"
        className="button ml-2"
        aria-label={t('action.for', { action: t('action.forget'), channel: source })}
        aria-disabled={busy}
        onClick={() => !busy && setAsking(true)}
      >
        {t('action.forget')}
      </button>
      {asking && (
        <ConfirmDialog
          title={t('forget.title', { source })}
          consequence={t('forget.text')}
          no={t('forget.keep')}
          yes={t('action.forget')}
          onClose={() => setAsking(false)}
          onConfirm={() => void run({ action: 'forget', source })}
        />
      )}
    </>
  );
}

export function Commands({ commands, now }: { commands: readonly Command[]; now: number }) {
  const { t, lookUp, moment } = useText();
  return (
    <Table
      title={t('detail.commands')}
      heads={['decided', 'source', 'state', 'outcome', 'valid_until']}
      none={t('detail.commands_none')}
    >
      {commands.map((command) => (
        <tr key={`${command.id} ${command.source}`} title={command.id}>
          <td className="whitespace-nowrap tabular-nums">{moment(command.decided_at, now)}</td>
          <td className="wrap-anywhere">{command.source}</td>
          <td>{lookUp(`command.${command.state}`, command.state)}</td>
          <td>
            {command.outcome ? lookUp(`outcome.${command.outcome}`, command.outcome) : '–'}
            {command.detail && <span className="block text-soft">{command.detail}</span>}
          </td>
          <td className="whitespace-nowrap tabular-nums">
            {command.valid_until ? moment(command.valid_until, now) : '–'}
          </td>
        </tr>
      ))}
    </Table>
  );
}

export function Journal({ decisions, now }: { decisions: readonly Decision[]; now: number }) {
  const { t, lookUp, number, moment, duration } = useText();
  return (
    <Table
      title={t('detail.journal')}
      heads={['time', 'event', 'because', 'listeners', 'left']}
      none={t('detail.journal_none')}
      tall
    >
      {decisions
        .toSorted((a, b) => b.seq - a.seq)
        .map(({ seq, at, event, because, by, listeners, remaining_seconds }) => (
          <tr key={seq}>
            <td className="whitespace-nowrap tabular-nums">{moment(at, now)}</td>
            <td className="font-medium">{lookUp(`event.${event}`, event)}</td>
            <td>
              <Said sentence={because} />
              {by !== undefined && ` (${by})`}
            </td>
            <td className="tabular-nums">
              {listeners === undefined ? t('detail.unknown') : number(listeners)}
            </td>
            <td className="tabular-nums">
              {remaining_seconds === undefined ? '' : duration(remaining_seconds)}
            </td>
          </tr>
        ))}
    </Table>
  );
}

/** What the daemon says, in the page's language where there are words for it. */
export function Said({ sentence }: { sentence: string }) {
  const { said } = useText();
  const words = said(sentence);
  return words === undefined ? <span lang="en">{sentence}</span> : words;
}

type Head =
  | 'source'
  | 'state'
  | 'listeners'
  | 'joins'
  | 'age'
  | 'believed'
  | 'decided'
  | 'outcome'
  | 'valid_until'
  | 'time'
  | 'event'
  | 'because'
  | 'left';

interface TableProps {
  title: string;
  heads: readonly Head[];
  none: string;
  /** A long one scrolls in itself. */
  tall?: boolean;
  children: ReactNode[];
}

function Table({ title, heads, none, tall, children }: TableProps) {
  const { t } = useText();
  return (
    <div className="card min-w-0 overflow-hidden">
      <h2 className="px-4 pt-3 pb-1 font-semibold">{title}</h2>
      {children.length === 0 ? (
        <p className="px-4 pt-1 pb-4 text-sm text-soft">{none}</p>
      ) : (
        <section
          aria-label={title}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
          tabIndex={0}
          className={`overflow-auto ${tall ? 'max-h-96' : ''}`}
        >
          <table className="table">
            <thead className="sticky top-0 bg-card">
              <tr>
                {heads.map((head) => (
                  <th key={head} scope="col">
                    {t(`detail.${head}`)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>{children}</tbody>
          </table>
        </section>
      )}
    </div>
  );
}
