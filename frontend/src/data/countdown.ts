/** Whole seconds until `endsAt` on the server's clock, never below 0. */
export function secondsLeft(endsAt: string, clockOffset: number, now: number): number {
  const left = Date.parse(endsAt) - (now + clockOffset);
  return Math.max(0, Math.ceil(left / 1000));
}
