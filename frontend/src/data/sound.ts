/** Two soft tones for a warning, three low ones for what has gone wrong. Made here: no file to load. */
import type { Tone } from './notices';

/** More often than this a sound tells nothing new, unless it is worse news than the one before. */
const QUIET_MS = 3_000;
const TONES: Record<Exclude<Tone, 'good'>, readonly number[]> = {
  warning: [660, 880],
  bad: [440, 330, 262],
};
const TONE_SECONDS = 0.18;

let context: AudioContext | undefined;
let quietUntil = 0;
let lastPlayed: Tone = 'good';

/** A browser plays nothing before somebody has touched the page: call this from a press. */
export function allowSound(): void {
  context ??= new AudioContext();
  void context.resume();
}

export function play(tone: Tone, now: number): void {
  const isWorse = tone === 'bad' && lastPlayed !== 'bad';
  if (tone === 'good' || (now < quietUntil && !isWorse)) return;
  quietUntil = now + QUIET_MS;
  lastPlayed = tone;
  allowSound();
  if (!context) return;
  for (const [index, pitch] of TONES[tone].entries()) {
    const begin = context.currentTime + index * TONE_SECONDS;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, begin);
    volume.gain.linearRampToValueAtTime(0.15, begin + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, begin + TONE_SECONDS * 2);
    tone.connect(volume).connect(context.destination);
    tone.start(begin);
    tone.stop(begin + TONE_SECONDS * 2);
  }
}
