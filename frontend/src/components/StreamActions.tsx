import type { Wish } from '@/data/actions';
import { useSession } from '@/data/session';
import { askToStop } from '@/data/stopping';
import type { Stream } from '@/data/store';
import { type Action, actionsFor } from '@/data/stream';
import { useOperator } from '@/hooks/useOperator';
import { useText } from '@/i18n';
import { Icon } from './Icon';

/** What `e` and the button of a card give; a stream's own page offers more. */
const LONGER_SECONDS = 1_800;
const KEYS: Readonly<Record<string, readonly Action[]>> = {
  p: ['pause', 'resume'],
  e: ['extend'],
  a: ['cancel'],
  s: ['stop'],
};

interface Props {
  stream: Stream;
  /** Icons alone, for a card; else each says what it does. */
  compact?: boolean;
}

// Keyboard focus must survive a press: buttons are never `disabled` while one is under way, and
// pause and resume are one button to React.
export function StreamActions({ stream, compact = false }: Props) {
  const { run, busy } = useOperator(stream.channel_id);
  const mayOperate = useSession((session) => session.may_operate);
  const offered = actionsFor(stream.auto_end.phase);

  function press(wish: Wish) {
    if (busy) return;
    if (wish.action === 'stop') askToStop(stream);
    else void run(wish);
  }

  if (!mayOperate) return compact ? null : <NotYours />;
  return (
    <div
      className={compact ? 'flex shrink-0 items-center pr-1.5' : 'flex flex-wrap gap-2'}
      data-actions
    >
      {offered.map((action) => (
        <ActionButton
          key={action === 'resume' ? 'pause' : action}
          action={action}
          channelId={stream.channel_id}
          compact={compact}
          disabled={busy}
          onPress={() => press({ action })}
        />
      ))}
      {!compact && offered.includes('extend') && (
        <LongerButton
          channelId={stream.channel_id}
          disabled={busy}
          onPress={() => press({ action: 'extend', seconds: LONGER_SECONDS })}
        />
      )}
    </div>
  );
}

function NotYours() {
  const { t } = useText();
  return <p className="text-sm text-soft">{t('session.viewer_stream')}</p>;
}

/** Presses the button that a key stands for, in the card that has the focus or on the whole page. */
export function pressByKey(key: string, within: Element | null): void {
  for (const action of KEYS[key] ?? []) {
    within?.querySelector<HTMLElement>(`[data-action="${action}"]`)?.click();
  }
}

interface ButtonProps {
  channelId: string;
  disabled: boolean;
  onPress: () => void;
}

function ActionButton({
  action,
  compact,
  channelId,
  disabled,
  onPress,
}: ButtonProps & { action: Action; compact: boolean }) {
  const { t } = useText();
  const label = t(`action.${action}`);
  const looks = compact
    ? `icon-button size-8 text-xs font-semibold ${action === 'stop' ? 'danger' : ''}`
    : `button ${action === 'stop' ? 'button-danger order-last' : ''}`;
  return (
    <button
      type="button"
      title={compact ? `${label}: ${t(`action.${action}_long`)}` : t(`action.${action}_long`)}
      aria-label={t('action.for', { action: label, channel: channelId })}
      data-action={action}
      className={looks}
      aria-disabled={disabled}
      onClick={onPress}
    >
      {compact && action === 'extend' ? '+5′' : <Icon name={action} />}
      {!compact && label}
    </button>
  );
}

function LongerButton({ channelId, disabled, onPress }: ButtonProps) {
  const { t } = useText();
  const label = t('action.extend_30');
  return (
    <button
      type="button"
      className="button"
      aria-label={t('action.for', { action: label, channel: channelId })}
      aria-disabled={disabled}
      onClick={onPress}
    >
      <Icon name="extend" />
      {label}
    </button>
  );
}
