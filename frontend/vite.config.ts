import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { stamped } from './sources.ts';

/** Where `npm run dev` finds a running daemon. */
const DAEMON = 'http://127.0.0.1:8080';

const BASE = '/monitoring/';

/** What draws the page comes later than what connects it, but is fetched along with it. */
const fetchedAtOnce: Plugin = {
  name: 'fetched-at-once',
  apply: 'build',
  transformIndexHtml: {
    order: 'post',
    handler(html, { bundle = {} }) {
      const chunks = Object.values(bundle).filter((part) => part.type === 'chunk');
      const later = chunks.find(({ name }) => name === 'draw');
      if (!later) throw new Error('no chunk is called draw: what does src/main.tsx import?');
      return [later.fileName, ...later.imports]
        .map((name) => BASE + name)
        .filter((href) => !html.includes(href))
        .map((href) => ({
          tag: 'link',
          attrs: { rel: 'modulepreload', crossorigin: true, href },
          injectTo: 'head' as const,
        }));
    },
  },
};

export default defineConfig({
  base: BASE,
  plugins: [react(), tailwindcss(), stamped(new URL('.', import.meta.url).pathname), fetchedAtOnce],
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  // Every browser has one: what a library says to others is left out.
  define: { 'typeof WebSocket': '"function"' },
  build: {
    target: 'es2022',
    // A strict Content-Security-Policy allows neither data: addresses nor inline scripts.
    assetsInlineLimit: 0,
    // What is loaded later is loaded before it is wanted, see src/App.tsx: nothing has to be fetched ahead of it.
    modulePreload: false,
    cssCodeSplit: false,
    // One file of what several need: many small ones are packed less well.
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'shared', minShareCount: 2 }] } },
    },
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': DAEMON,
      '/ws': { target: DAEMON, ws: true },
    },
  },
  test: {
    include: ['src/**/*.test.{ts,tsx}'],
    environment: 'jsdom',
    environmentOptions: { jsdom: { url: 'http://radio.test/monitoring/' } },
    setupFiles: ['./vitest.setup.ts'],
    restoreMocks: true,
    unstubGlobals: true,
    // A machine that compiles meanwhile is slow.
    testTimeout: 20_000,
  },
});
