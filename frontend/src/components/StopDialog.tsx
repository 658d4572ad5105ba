import { useEffect, useState } from 'react';
import { askNoMore, useStopping } from '@/data/stopping';
import { type Stream, useMonitorStore } from '@/data/store';
import { useOperator } from '@/hooks/useOperator';
import { useText } from '@/i18n';
import { ConfirmDialog } from './ConfirmDialog';

/** Stands above the list: no card that moves or goes takes it along. */
export function StopDialog() {
  const asked = useStopping(({ asked }) => asked);
  // Who leaves the page has not said yes.
  useEffect(() => askNoMore, []);
  return asked ? <Question key={asked.channel_id} shown={asked} /> : null;
}

/** Asks before a stream is stopped; what was shown is what is agreed to. */
function Question({ shown }: { shown: Stream }) {
  const { t } = useText();
  const { run } = useOperator(shown.channel_id);
  const [asked, setAsked] = useState(shown);
  const now = useMonitorStore((state) => state.streams[shown.channel_id]);
  const isAskedAgain = asked !== shown;
  const listeners = known(asked);
  const force = listeners === undefined || listeners > 0;
  const consequence =
    listeners === undefined
      ? t('stop.unknown')
      : listeners > 0
        ? t('stop.heard', { count: listeners })
        : t('stop.nobody');

  function confirm(): boolean {
    if (now && isMore(known(now), listeners)) {
      setAsked(now);
      return false;
    }
    void run({ action: 'stop', force });
    return true;
  }

  return (
    <ConfirmDialog
      title={t('stop.title', { channel: asked.channel_id })}
      consequence={isAskedAgain ? `${t('stop.changed')} ${consequence}` : consequence}
      isGrave={force}
      no={t('stop.keep')}
      yes={t(force ? 'stop.confirm_force' : 'stop.confirm')}
      onClose={askNoMore}
      onConfirm={confirm}
    />
  );
}

const known = (stream: Stream) => (stream.listeners_known ? stream.listeners : undefined);

/** Nobody has agreed to cut off who came after the question. Whoever agreed to an unknown number has to any. */
const isMore = (now: number | undefined, agreed: number | undefined) =>
  agreed !== undefined && (now === undefined || now > agreed);
