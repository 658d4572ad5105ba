import { fireEvent, renderHook } from '@testing-library/react';
import { describe, expect, test, vi } from 'vitest';
import { useKeys } from './useKeys';

function page() {
  const keys = { e: vi.fn(), j: vi.fn() };
  renderHook(() => useKeys(keys));
  const press = (key: string, more: object = {}) =>
    fireEvent.keyDown(document.body, { key, ...more });
  return { ...keys, press };
}

describe('the keys of a page', () => {
  test('work on a keyboard that writes Russian', () => {
    const { j, press } = page();
    press('о', { code: 'KeyJ' });
    expect(j).toHaveBeenCalledOnce();
  });

  test('are what they write where they write Latin, wherever they lie', () => {
    const { j, e, press } = page();
    // Dvorak has its j where others have c, and its e where others have d.
    press('j', { code: 'KeyC' });
    press('h', { code: 'KeyJ' });
    expect([j.mock.calls.length, e.mock.calls.length]).toEqual([1, 0]);
  });

  test('step on while they are held down, and do nothing else twice', () => {
    const { j, e, press } = page();
    for (const key of ['j', 'e']) {
      press(key);
      press(key, { repeat: true });
    }
    expect([j.mock.calls.length, e.mock.calls.length]).toEqual([2, 1]);
  });

  test('are left alone while a dialog is open, wherever the focus is', () => {
    const { e, press } = page();
    const dialog = document.body.appendChild(document.createElement('dialog'));
    dialog.open = true;
    press('e');
    expect(e).not.toHaveBeenCalled();
    dialog.remove();
    press('e');
    expect(e).toHaveBeenCalledOnce();
  });

  test('are left alone with a modifier', () => {
    const { e, press } = page();
    press('e', { ctrlKey: true });
    expect(e).not.toHaveBeenCalled();
  });
});
