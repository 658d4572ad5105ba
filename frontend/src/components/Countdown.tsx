import { useSecondsLeft } from '@/hooks/useSecondsLeft';
import { useText } from '@/i18n';

/** Minutes and seconds to `endsAt`. Never read aloud by itself: it changes every second. */
export function Countdown({ endsAt }: { endsAt: string }) {
  const seconds = useSecondsLeft(endsAt);
  return <Duration seconds={seconds} />;
}

export function Duration({ seconds }: { seconds: number }) {
  const { duration } = useText();
  return (
    <time
      role="timer"
      aria-live="off"
      dateTime={`PT${Math.ceil(seconds)}S`}
      className="font-semibold tabular-nums"
    >
      {duration(seconds)}
    </time>
  );
}
