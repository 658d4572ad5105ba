import { useEffect, useRef } from 'react';

/** What goes on while its key is held down: steps. Nobody means to extend a countdown thirty times a second. */
const HELD = new Set(['j', 'k']);

/** What each key does on a page. Keys typed into a field, under an open dialog or with a modifier are left alone. */
export function useKeys(keys: Readonly<Record<string, () => void>>): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => listen(latest), []);
}

// Not inside the hook: what is made there and kept would keep what the page showed when it was first drawn.
function listen(latest: { readonly current: Readonly<Record<string, () => void>> }): () => void {
  function press(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as Element | null;
    if (target?.closest('input, select, textarea') || document.querySelector('dialog[open]'))
      return;
    const key = keyOf(event);
    const action = latest.current[key];
    if (!action || (event.repeat && !HELD.has(key))) return;
    event.preventDefault();
    action();
  }
  window.addEventListener('keydown', press);
  return () => window.removeEventListener('keydown', press);
}

/** On a keyboard that writes Cyrillic, a letter is known by its place. */
function keyOf({ key, code }: KeyboardEvent): string {
  const isLetterElsewhere = /^\p{L}$/u.test(key) && !/[a-z]/i.test(key);
  return isLetterElsewhere && code.startsWith('Key') ? code.slice(-1).toLowerCase() : key;
}
