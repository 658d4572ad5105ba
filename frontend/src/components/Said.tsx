import { useText } from '@/i18n';

/** What the daemon says, in the page's language where there are words for it. */
export function Said({ sentence }: { sentence: string }) {
  const { said } = useText();
  const words = said(sentence);
  return words === undefined ? <span lang="en">{sentence}</span> : words;
}
