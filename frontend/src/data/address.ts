/** What the address of a page says: which page, and which streams it lists. */
import { CONDITIONS, EVERYTHING, GROUPS, SORTS, type View } from './listing';

/** Where the daemon serves the dashboard; addresses of pages are below it. */
export const BASE = '/monitoring';
export const LIST = '/';
export const WALL = '/wall';
export const REPORTS = '/reports';
export const STREAM = '/streams/:id';

export const streamAddress = (channelId: string) => `/streams/${encodeURIComponent(channelId)}`;

/** The channel in an address, which anybody may have typed. */
export function channelIn(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

/** What a link of ours leaves in the browser's history: there is a page to go back to. */
export const FROM_HERE = { from: 'here' } as const;
export const cameFromHere = () => window.history.state?.from === FROM_HERE.from;

export function viewOf(params: URLSearchParams): View {
  return {
    search: params.get('search') ?? '',
    condition: oneOf([...CONDITIONS, 'all'], params.get('condition'), EVERYTHING.condition),
    source: params.get('source') ?? '',
    sort: oneOf(SORTS, params.get('sort'), EVERYTHING.sort),
    group: oneOf(GROUPS, params.get('group'), EVERYTHING.group),
  };
}

/** Only what differs from a plain list is written, so a plain list has a plain address. */
export function paramsOf(view: View): URLSearchParams {
  const named = Object.entries(view).filter(
    ([name, value]) => value !== EVERYTHING[name as keyof View],
  );
  return new URLSearchParams(named);
}

function oneOf<T extends string>(known: readonly T[], value: string | null, otherwise: T): T {
  return known.find((each) => each === value) ?? otherwise;
}
