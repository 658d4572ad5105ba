import { afterEach, expect, test, vi } from 'vitest';
import { defaultPreferences, prefer, usePreferences } from './preferences';

afterEach(() => {
  localStorage.clear();
  usePreferences.setState(defaultPreferences, true);
  vi.resetModules();
});

/** What a page that is opened now likes. */
const opened = async () => (await import('./preferences')).usePreferences.getState();

test('what is preferred is remembered by the browser', async () => {
  prefer({ zone: 'Asia/Tokyo', sound: true });
  vi.resetModules();
  expect(await opened()).toEqual({ ...defaultPreferences, zone: 'Asia/Tokyo', sound: true });
});

test.each([
  ['no JSON', '{'],
  ['no object', '7'],
  ['of values nobody knows', '{"state":{"theme":"pink","zone":"Mars/Base"},"version":0}'],
])('what an older page left behind may be %s', async (_, left) => {
  localStorage.setItem('sattva-monitor', left);
  vi.resetModules();
  expect(await opened()).toEqual(defaultPreferences);
});
