import { defineConfig } from 'vitest/config';

/** The page in Chromium, on the real daemon: `browser/stage.ts` says what is needed. */
export default defineConfig({
  test: {
    include: ['browser/**/*.test.ts'],
    environment: 'node',
    testTimeout: 40_000,
    hookTimeout: 20_000,
  },
});
