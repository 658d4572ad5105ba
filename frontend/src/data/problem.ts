/** Why the daemon said no. */
import * as v from 'valibot';

/** RFC 9457, with a code for programs; everything in it is optional. */
const Problem = v.object({
  code: v.optional(v.string()),
  title: v.optional(v.string()),
  detail: v.optional(v.string()),
});

/** The daemon could not be reached, or did not answer in time. */
export class Unreachable extends Error {}

/** The daemon said no, in its own words. */
export class Refused extends Error {
  constructor(
    message: string,
    /** What programs tell it by. */
    readonly code?: string,
  ) {
    super(message);
  }
}

export async function refusalIn(answer: Response): Promise<Refused> {
  const status = `HTTP ${answer.status} ${answer.statusText}`.trim();
  const problem = v.safeParse(Problem, await answer.json().catch(() => undefined));
  if (!problem.success) return new Refused(status);
  const { code, title, detail } = problem.output;
  return new Refused(detail ?? title ?? status, code);
}
