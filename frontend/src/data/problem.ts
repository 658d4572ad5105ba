/** Why the daemon said no. */
import * as v from 'valibot';

/** RFC 9457; everything in it is optional. */
const Problem = v.object({ title: v.optional(v.string()), detail: v.optional(v.string()) });

/** The daemon could not be reached, or did not answer in time. */
export class Unreachable extends Error {}

/** In its own words. */
export async function whyNot(answer: Response): Promise<string> {
  const status = `HTTP ${answer.status} ${answer.statusText}`.trim();
  const problem = v.safeParse(Problem, await answer.json().catch(() => undefined));
  if (!problem.success) return status;
  return problem.output.detail ?? problem.output.title ?? status;
}
