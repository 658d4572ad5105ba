/** What the page is made of, as one hash: the daemon's build compares it, so that no stale page is shipped. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

/** `build/page.rs` has the same list. */
const SOURCES = ['index.html', 'package-lock.json', 'public', 'src', 'vite.config.ts'];

/** Of the path, the length and the bytes of every source but the tests, in the order of their paths. */
export function hashOf(frontend: string): string {
  const hash = createHash('sha256');
  const names = SOURCES.flatMap((name) => gather(frontend, name));
  for (const name of names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const bytes = readFileSync(join(frontend, name));
    hash.update(`${name}\n${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}

function gather(frontend: string, name: string): string[] {
  if (statSync(join(frontend, name)).isDirectory()) {
    return readdirSync(join(frontend, name)).flatMap((each) => gather(frontend, `${name}/${each}`));
  }
  return name.includes('.test.') ? [] : [name];
}

/** Writes the hash in the head of the built page. */
export function stamped(frontend: string): Plugin {
  return {
    name: 'sources',
    apply: 'build',
    transformIndexHtml: () => [
      { tag: 'meta', attrs: { name: 'sources', content: hashOf(frontend) }, injectTo: 'head' },
    ],
  };
}
