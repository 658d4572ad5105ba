import { useSecondsLeft } from '@/hooks/useSecondsLeft';

/** Minutes and seconds to `endsAt`. Never read aloud by itself: it changes every second. */
export function Countdown({ endsAt }: { endsAt: string }) {
  const seconds = useSecondsLeft(endsAt);
  return <Duration seconds={seconds} />;
}

export function Duration({ seconds }: { seconds: number }) {
  const whole = Math.ceil(seconds);
  const two = (part: number) => String(part).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const text =
    hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  return (
    <time
      role="timer"
      aria-live="off"
      dateTime={`PT${whole}S`}
      className="font-semibold tabular-nums"
    >
      {text}
    </time>
  );
}
