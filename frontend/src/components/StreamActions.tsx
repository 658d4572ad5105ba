import { useState } from 'react';
import type { Stream } from '@/data/store';
import { type Action, actionsFor } from '@/data/stream';
import { useOperator } from '@/hooks/useOperator';
import { useText } from '@/i18n';
import { Icon } from './Icon';
import { StopDialog } from './StopDialog';

// Keyboard focus must survive a press: buttons are never `disabled` while one is under way, and
// pause and resume are one button to React.
export function StreamActions({ stream }: { stream: Stream }) {
  const { run, busy, failure } = useOperator(stream.channel_id);
  const [asking, setAsking] = useState(false);

  function press(action: Action) {
    if (busy) return;
    if (action === 'stop') setAsking(true);
    else void run({ action });
  }

  return (
    <footer className="flex flex-col gap-2 border-t border-line p-3">
      <div className="grid grid-cols-2 gap-2">
        {actionsFor(stream.auto_end.phase).map((action) => (
          <ActionButton
            key={action === 'resume' ? 'pause' : action}
            action={action}
            channelId={stream.channel_id}
            disabled={busy}
            onPress={() => press(action)}
          />
        ))}
      </div>
      {failure && (
        <p role="alert" className="px-1 text-sm text-red wrap-anywhere">
          {failure}
        </p>
      )}
      {asking && (
        <StopDialog
          stream={stream}
          onClose={() => setAsking(false)}
          onConfirm={(force) => void run({ action: 'stop', force })}
        />
      )}
    </footer>
  );
}

interface ActionButtonProps {
  action: Action;
  channelId: string;
  disabled: boolean;
  onPress: () => void;
}

function ActionButton({ action, channelId, disabled, onPress }: ActionButtonProps) {
  const { t } = useText();
  const label = t(`action.${action}`);
  return (
    <button
      type="button"
      title={t(`action.${action}_long`)}
      aria-label={t('action.for', { action: label, channel: channelId })}
      className={`button last:odd:col-span-2 ${action === 'stop' ? 'button-danger' : ''}`}
      aria-disabled={disabled}
      onClick={onPress}
    >
      {action !== 'extend' && <Icon name={action} />}
      {label}
    </button>
  );
}
